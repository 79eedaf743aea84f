//! One answer that counts: unpacked, decoded, and its rows made into records, or forgotten as a whole.

use std::borrow::Cow;
use std::sync::Arc;

use super::attempts::Trouble;
use super::listing::Chain;
use super::{End, Run};
use crate::pipeline::decode::{self, Document, Room};
use crate::pipeline::fetch::{Answer, FetchError, excerpt, is_blank};
use crate::pipeline::json::sniff::{self, SniffError};
use crate::pipeline::judge;
use crate::pipeline::page::{self, Given, Page, PageError, PageResult};
use crate::pipeline::request::Outgoing;
use crate::profiles::plan::Mapping;

impl Run<'_> {
    /// Decodes an answer and settles its records, or forgets them.
    pub(super) async fn map(
        &mut self,
        answer: &Answer,
        request: &Outgoing,
        given: &Given,
        chain: &mut Chain,
    ) -> Result<PageResult, Trouble> {
        let bytes = self.unpack(answer)?;
        if is_blank(&bytes) && !answer.is_blank() {
            judge::judge_blank(answer, self.plan, self.now_ms())?;
        }
        let room = Room::of(self.limits.max_bytes);
        let document = decode::decode(&bytes, &self.plan.decoding.format, room)?;
        let mapping = self.mapping_for(&document)?;
        let left = self.limits.max_records.saturating_sub(self.records);
        let input = Page {
            document: &document,
            mapping: &mapping,
            given,
            headers: &answer.headers,
            cursor: self.plan.cursor.as_ref(),
            room,
        };
        self.outbox.begin();
        let mapped = page::map_rows(&input, &mut self.outbox, left).await;
        let mut page = match mapped {
            Ok(result) => result,
            Err(error) => {
                self.outbox.forget();
                return Err(self.of_page(error));
            }
        };
        if let Err(verdict) = judge::judge_told(answer, self.plan, &page.told, self.now_ms()) {
            self.outbox.forget();
            return Err(verdict.into());
        }
        if page.rows > 0 && !chain.bodies.insert(xxhash_rust::xxh3::xxh3_128(&answer.body)) {
            self.outbox.forget();
            let message = "the same answer came for two pages; paging does not move on";
            return Err(Trouble::End(End::failed(message)));
        }
        let poll_ms = judge::next_poll_ms(answer, self.plan, &page.told, self.now_ms());
        self.next_poll_ms = [self.next_poll_ms, poll_ms].into_iter().flatten().min();
        page.facts.link.clone_from(&answer.next_link);
        let (records, duplicates) = self.outbox.settle();
        self.records += records;
        self.duplicates += duplicates;
        self.rows += page.rows;
        self.mapping_is_known |= page.rows > 0;
        self.cursor_seen = self.cursor_seen.max(page.cursor);
        self.pages += 1;
        // An answer may repeat the key that it was asked with.
        page.tally.redact(|text| request.redact(text));
        self.tally.merge(std::mem::take(&mut page.tally));
        Ok(page)
    }

    /// Unpacks a file; what comes out counts as bytes of the run.
    fn unpack<'b>(&mut self, answer: &'b Answer) -> Result<Cow<'b, [u8]>, Trouble> {
        let left = self.traffic.max_bytes.saturating_sub(self.traffic.bytes);
        let bytes = decode::unpack(&answer.body, &self.plan.decoding, left).map_err(|error| self.of_page(error))?;
        if let Cow::Owned(bytes) = &bytes {
            self.traffic.bytes += bytes.len() as u64;
        }
        Ok(bytes)
    }

    fn of_page(&self, error: PageError) -> Trouble {
        match error {
            PageError::TooLarge => self.trouble(FetchError::TooLarge),
            other => other.into(),
        }
    }

    fn mapping_for(&mut self, document: &Document<'_>) -> Result<Arc<Mapping>, Trouble> {
        if let Some(mapping) = self.mapping.as_ref().filter(|_| self.mapping_is_known) {
            return Ok(Arc::clone(mapping));
        }
        let Document::Json(text) = document else {
            return Err(Trouble::End(End::failed("the profile does not say where the rows are")));
        };
        let profile = self.input.profile;
        let found = sniff::find(text, &profile.open_paths()).map_err(|error| match error {
            SniffError::Json(error) => page::not_json(text, error).into(),
            SniffError::Unclear(message) => {
                let head = excerpt(text.as_bytes());
                Trouble::End(End::failed(format!("{message}; the answer begins {head:?}")))
            }
        })?;
        let mapping = profile.mapping_for(&found).map_err(|message| Trouble::End(End::failed(message)))?;
        self.mapping = Some(Arc::clone(&mapping));
        Ok(mapping)
    }
}
