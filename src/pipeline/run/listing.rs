//! All pages of one parameter set and window, one after the other, until the profile's rule says that no more come.

use std::collections::HashSet;

use super::{End, Flow, Run};
use crate::pipeline::outcome::Sink;
use crate::pipeline::page::Given;
use crate::pipeline::paging::{NextPage, Pager, Param, with_fragment};
use crate::pipeline::request::{self, Filling, Outgoing, shown};
use crate::profiles::plan::Scalar;

/// What came up in one list of pages, to see when paging does not move on.
#[derive(Default)]
pub(super) struct Chain {
    /// Requests, by what they ask.
    pub(super) asked: HashSet<[u8; 16]>,
    /// Bodies with rows.
    pub(super) bodies: HashSet<u128>,
}

impl Run<'_> {
    /// All pages of one parameter set and window.
    pub(super) async fn list(
        &mut self,
        values: &[Scalar],
        window: Option<(i64, i64)>,
        sink: &mut impl Sink,
    ) -> Flow<()> {
        let given = Given::new(values, window);
        let cursor = self.plan.cursor.as_ref().zip(self.cursor_start);
        let filling = Filling { params: &self.plan.params, values, window, cursor, now_ms: self.input.now_ms };
        let build =
            |paging: &[Param]| request::build(self.plan, filling, paging, self.input.secrets).map_err(End::failed);
        let mut pager = Pager::new(self.plan.paging.as_ref());
        let first = build(&pager.first())?;
        let mut request = first.clone();
        let mut chain = Chain::default();
        loop {
            let page = self.page(&request, &given, &mut chain).await?;
            self.send(sink).await?;
            if page.limited {
                return Err(End::Limit(format!("max_records ({})", self.limits.max_records)));
            }
            let until = self.mapping.as_ref().map_or(&[][..], |mapping| &mapping.stop.until);
            let Some(next) = pager.advance(&page.facts, until) else { return Ok(()) };
            if self.pages >= self.limits.max_pages {
                return Err(End::Limit(format!("max_pages ({})", self.limits.max_pages)));
            }
            request = match next {
                NextPage::Params(params) => {
                    request::build(self.plan, filling, &params, self.input.secrets).map_err(End::failed)?
                }
                NextPage::Fragment(fragment) => Outgoing { url: with_fragment(&first.url, &fragment), ..first.clone() },
                NextPage::Wrong(next) => {
                    let next: String = next.chars().take(80).collect();
                    return Err(End::failed(
                        first.redact(&format!("the next page should be an object of parameters, found {next:?}")),
                    ));
                }
                NextPage::Link(link) => self.follow(&request, &first, &link)?,
            };
        }
    }

    /// The request behind a link of the answer. It stays on the source's host.
    fn follow(&self, from: &Outgoing, first: &Outgoing, link: &str) -> Flow<Outgoing> {
        let refuse = |why: &str| End::failed(first.redact(&format!("the next page is {why}")));
        let Some(mut url) = self.fetcher.link(&from.url, link) else {
            return Err(refuse(&format!("at {link:?}, which is not an address")));
        };
        if url.host() != first.url.host() {
            return Err(refuse(&format!("on another host ({}); it is not followed", shown(&url))));
        }
        if url.scheme() == "http" && first.url.scheme() == "https" && url.set_scheme("https").is_err() {
            return Err(refuse("not reached by https"));
        }
        if url.origin() != first.url.origin() {
            return Err(refuse(&format!("on another port ({}); it is not followed", shown(&url))));
        }
        Ok(Outgoing { url, ..first.clone() })
    }
}
