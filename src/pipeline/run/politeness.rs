//! Before each request: the rate of its source is waited for, and its quota is kept to.

use std::time::Duration;

use super::attempts::Trouble;
use super::signing::Signed;
use super::{End, Run};
use crate::pipeline::fetch::Turn;
use crate::pipeline::judge::Verdict;

impl Run<'_> {
    /// Waits until the request may be sent, and counts it.
    pub(super) async fn take_turn(&mut self, signed: &Signed) -> Result<(), Trouble> {
        let politeness = self.plan.politeness;
        let Some(name) = self.source_name(signed) else { return Ok(()) };
        loop {
            let now_ms = self.now_ms();
            let turn = self.fetcher.settings().ledger.turn(&name, &politeness, now_ms);
            let ms_until = |at_ms: i64| Duration::from_millis(at_ms.saturating_sub(now_ms).max(0).unsigned_abs());
            match turn {
                Turn::Go => return Ok(()),
                Turn::Wait(at_ms) => {
                    let pause = ms_until(at_ms);
                    self.check_time(pause).map_err(Trouble::End)?;
                    tokio::time::sleep(pause).await;
                }
                Turn::Over(until_ms) if signed.key().is_some() => {
                    let reason = "its quota is used up".to_owned();
                    let verdict = Verdict::RateLimited { reason, pause: Some(ms_until(until_ms)) };
                    return Err(self.judged(signed, verdict).await);
                }
                Turn::Over(until_ms) => {
                    let requests = politeness.quota.map_or(0, |quota| quota.requests);
                    return Err(Trouble::End(End::Quota { requests, until_ms }));
                }
            }
        }
    }

    /// Host and key. `None`: nothing is counted, or nobody is asked.
    fn source_name(&self, signed: &Signed) -> Option<String> {
        let politeness = self.plan.politeness;
        if self.fetcher.is_recorded() || (politeness.rate.is_none() && politeness.quota.is_none()) {
            return None;
        }
        let host = signed.request.url.host_str().unwrap_or("");
        let auth = self.plan.request.auth.as_ref();
        let secret = auth.and_then(|auth| auth.secrets().get(signed.key().unwrap_or(0)).copied());
        Some(format!("{host} {}", secret.unwrap_or("")))
    }
}
