//! A kept run in the place of the network: each request is given the answer that came then.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::recorded::as_answer;
use super::{Answer, Asked, FetchError, SavedAnswer, Traffic};
use crate::pipeline::kept::{KeptRun, identity};
use crate::pipeline::request::Outgoing;

/// Answers of one kept run, as they are given.
#[derive(Debug)]
pub struct Playback {
    run: Arc<KeptRun>,
    /// Those that were given.
    given: RefCell<HashSet<usize>>,
}

impl Playback {
    pub fn new(run: Arc<KeptRun>) -> Self {
        Self { run, given: RefCell::default() }
    }

    /// The answer to `request` of then. What was not asked then has none.
    pub(super) async fn answer(&self, request: &Outgoing, traffic: &mut Traffic) -> Result<Answer, FetchError> {
        traffic.begin_request()?;
        let place = self.pick(request).ok_or_else(|| {
            let Asked { method, url, .. } = Asked::of(request);
            FetchError::NotKept(format!("{method} {url}"))
        })?;
        self.given.borrow_mut().insert(place);
        let (run, left) = (Arc::clone(&self.run), traffic.max_bytes.saturating_sub(traffic.bytes));
        let read = tokio::task::spawn_blocking(move || run.answer(place, left)).await;
        let (kept, body) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(torn)) => return Err(FetchError::NotKept(torn.to_string())),
            Err(error) => return Err(FetchError::Refused(error.to_string())),
        };
        let saved = SavedAnswer { request: None, status: kept.status, headers: kept.headers, body };
        as_answer(&saved, request, traffic)
    }

    /// Where a request was made several times, each answer is given once and in order; those that asked for another
    /// try come last, since nobody waits here.
    fn pick(&self, request: &Outgoing) -> Option<usize> {
        let answers = self.run.answers_to(&identity(request));
        let given = self.given.borrow();
        let fresh = || answers.iter().filter(|(place, _)| !given.contains(place));
        let counts = |status: u16| !matches!(status, 408 | 425 | 429 | 500..=599);
        let found = fresh().find(|(_, status)| counts(*status)).or_else(|| fresh().next()).or(answers.last());
        found.map(|(place, _)| *place)
    }
}
