//! One page, asked for until it counts or fails: what is worth another try, after which pause, and what the last run
//! knows of the answer.

use std::time::Duration;

use rand::Rng;

use super::listing::Chain;
use super::{End, Flow, Run};
use crate::domain::digest::Digest;
use crate::pipeline::fetch::{Answer, FetchError};
use crate::pipeline::judge::{self, Verdict};
use crate::pipeline::outcome::Validators;
use crate::pipeline::page::{Given, PageError, PageResult};
use crate::pipeline::request::{Outgoing, shown};

impl Run<'_> {
    /// Fetches a page until it counts, or fails.
    pub(super) async fn page(&mut self, request: &Outgoing, given: &Given, chain: &mut Chain) -> Flow<PageResult> {
        let digest = request.digest();
        if !chain.asked.insert(digest.key()) {
            let message =
                format!("the request to {} came up twice in one run; paging does not move on", shown(&request.url));
            return Err(End::failed(message));
        }
        let validators = self.usable_validators(&digest);
        let attempts = self.fetcher.settings().max_attempts.max(1);
        let (mut attempt, mut signings, mut refusal) = (1, 0, None);
        loop {
            self.check_time(Duration::ZERO)?;
            let trouble = match self.attempt(request, validators.as_ref(), given, chain).await {
                Ok(page) => return Ok(page),
                Err(Trouble::Verdict(Verdict::Empty)) => return Ok(PageResult::default()),
                Err(Trouble::Anew { reason }) if signings < self.most_signings() => {
                    (signings, refusal) = (signings + 1, Some(reason));
                    continue;
                }
                Err(trouble) => trouble,
            };
            let (mut reason, pause) = self.worth_a_try(request, trouble, validators.as_ref())?;
            if let Some(refusal) = refusal.take() {
                reason = format!("{reason}; before it: {refusal}");
            }
            let max_pause = self.fetcher.settings().max_pause;
            if attempt >= attempts || pause.is_some_and(|pause| pause > max_pause) {
                return Err(self.failed(request, &reason, attempt, pause));
            }
            let pause = pause.unwrap_or_default() + self.backoff(attempt);
            self.check_time(pause)?;
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// The reason and the pause of what may be tried again; all else ends the run.
    fn worth_a_try(
        &mut self,
        request: &Outgoing,
        trouble: Trouble,
        validators: Option<&Validators>,
    ) -> Flow<(String, Option<Duration>)> {
        match trouble {
            Trouble::Again { reason, pause }
            | Trouble::Verdict(Verdict::Again { reason, pause } | Verdict::RateLimited { reason, pause }) => {
                Ok((reason, pause))
            }
            Trouble::Anew { reason } if self.has_turns() => Ok((reason, None)),
            Trouble::Anew { reason } => {
                Err(self.failed(request, &format!("{reason}; the sign-in was made anew before"), 1, None))
            }
            Trouble::Verdict(Verdict::Unchanged) => {
                self.validators = validators.cloned();
                Err(End::Unchanged)
            }
            Trouble::Verdict(Verdict::SignIn { reason }) => Err(self.failed(request, &reason, 1, None)),
            Trouble::Verdict(Verdict::Failed { reason, pause }) => Err(self.failed(request, &reason, 1, pause)),
            // An empty answer is a page.
            Trouble::Verdict(Verdict::Empty) => Ok((String::new(), None)),
            Trouble::End(End::Failed { message, not_before_ms }) => {
                Err(End::Failed { message: self.in_words(request, &message, 1), not_before_ms })
            }
            Trouble::End(end) => Err(end),
        }
    }

    fn failed(&self, request: &Outgoing, reason: &str, attempts: u32, pause: Option<Duration>) -> End {
        let not_before_ms = pause.map(|pause| self.now_ms().saturating_add(millis(pause)));
        End::Failed { message: self.in_words(request, reason, attempts), not_before_ms }
    }

    fn in_words(&self, request: &Outgoing, reason: &str, attempts: u32) -> String {
        let tries = if attempts > 1 { format!(" ({attempts} tries)") } else { String::new() };
        request.redact(&format!("{}: {reason}{tries}", shown(&request.url)))
    }

    /// Full jitter: random up to a bound that doubles.
    fn backoff(&self, attempt: u32) -> Duration {
        let settings = self.fetcher.settings();
        let bound = settings.retry_base.saturating_mul(1 << attempt.min(16).saturating_sub(1)).min(settings.max_pause);
        bound.mul_f64(rand::rng().random::<f64>())
    }

    pub(super) fn check_time(&self, pause: Duration) -> Flow<()> {
        let max_run = self.fetcher.settings().max_run;
        if self.began.elapsed() + pause > max_run {
            return Err(End::Limit(format!("the time of a run ({max_run:?})")));
        }
        Ok(())
    }

    /// The validators of the last run, where they are of this request and this version of the profile.
    fn usable_validators(&self, request: &Digest) -> Option<Validators> {
        let own = self.validator_digest(request);
        self.input.validators.clone().filter(|validators| self.is_single() && validators.request == own)
    }

    fn validator_digest(&self, request: &Digest) -> Digest {
        Digest::of(&[self.input.profile.digest().as_bytes().as_slice(), request.as_bytes()].concat())
    }

    /// One try.
    async fn attempt(
        &mut self,
        request: &Outgoing,
        validators: Option<&Validators>,
        given: &Given,
        chain: &mut Chain,
    ) -> Result<PageResult, Trouble> {
        let signed = self.sign(request).await?;
        self.take_turn(&signed).await?;
        match self.answered(&signed.request, validators, given, chain).await {
            Err(Trouble::Verdict(verdict)) => Err(self.judged(&signed, verdict).await),
            other => other,
        }
    }

    /// What comes on a request that is signed.
    async fn answered(
        &mut self,
        request: &Outgoing,
        validators: Option<&Validators>,
        given: &Given,
        chain: &mut Chain,
    ) -> Result<PageResult, Trouble> {
        let agent = self.plan.request.user_agent.as_deref();
        let timeout = self.limits.timeout;
        let fetched = self.fetcher.fetch(request, agent, validators, timeout, &mut self.traffic).await;
        let mut answer = fetched.map_err(|error| self.trouble(error))?;
        if let Some(keeper) = self.input.keeper.filter(|_| answer.status != 304) {
            answer = keeper.keep(request, answer, self.now_ms()).await;
        }
        judge::judge(&answer, self.plan, validators.is_some(), self.now_ms())?;
        let page = match self.map(&answer, request, given, chain).await {
            Err(trouble @ Trouble::End(End::Failed { .. })) => {
                // What has no rows may say why.
                judge::judge_unread(&answer, self.plan, self.now_ms())?;
                return Err(trouble);
            }
            other => other?,
        };
        self.keep_validators(request, &answer, chain.asked.len() == 1 && self.is_last(&page));
        Ok(page)
    }

    pub(super) fn trouble(&self, error: FetchError) -> Trouble {
        let limits = &self.limits;
        match error {
            FetchError::Broken(reason) => Trouble::Again { reason, pause: None },
            FetchError::Refused(message) => Trouble::End(End::failed(message)),
            FetchError::TooLarge => Trouble::End(End::Limit(format!("max_bytes ({})", limits.max_bytes))),
            FetchError::AllPlayed => Trouble::End(End::Limit("of the saved answers".into())),
            FetchError::NotKept(request) => Trouble::End(End::NotKept(request)),
            FetchError::NoRequests => Trouble::End(End::Limit(format!("max_requests ({})", limits.max_requests))),
        }
    }

    /// No page can follow this one, whatever becomes of the source, as long as it stays as it is: there is no paging, or it
    /// has fewer rows than a page takes.
    fn is_last(&self, page: &PageResult) -> bool {
        let Some(paging) = &self.plan.paging else { return true };
        let is_short = paging.size.as_ref().is_some_and(|(_, size)| page.facts.most < *size);
        is_short && page.facts.next.is_none() && page.facts.link.is_none()
    }

    /// Of one answer only: a second one takes them away again.
    fn keep_validators(&mut self, request: &Outgoing, answer: &Answer, is_all: bool) {
        self.validators = None;
        if is_all && self.is_single() && (answer.etag.is_some() || answer.last_modified.is_some()) {
            self.validators = Some(Validators {
                request: self.validator_digest(&request.digest()),
                etag: answer.etag.clone(),
                last_modified: answer.last_modified.clone(),
            });
        }
    }
}

/// What stopped one try.
pub(super) enum Trouble {
    Again {
        reason: String,
        pause: Option<Duration>,
    },
    /// Ask again at once, signed anew; not counted as a try.
    Anew {
        reason: String,
    },
    /// The answer does not count.
    Verdict(Verdict),
    End(End),
}

impl From<Verdict> for Trouble {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

impl From<PageError> for Trouble {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Broken(reason) => Self::Again { reason, pause: None },
            PageError::Failed(message) => Self::End(End::failed(message)),
            PageError::TooLarge => Self::End(End::Limit("max_bytes".into())),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
