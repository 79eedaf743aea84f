//! Takes a run's answers as they come and puts them where they are kept. Work on bodies is done beside the thread
//! that runs. A run never fails for the sake of its kept answers: they are given up, and why is told at the end.

use std::cell::RefCell;
use std::fmt;

use super::{KeepError, KeptAnswer, KeptWriter, Redactor, SavedFolder};
use crate::pipeline::fetch::Answer;
use crate::pipeline::request::Outgoing;

/// Where answers go.
#[derive(Debug)]
pub enum Shelf {
    /// A drone's kept run.
    Run(KeptWriter),
    /// A folder of saved answers, as a profile's test has it.
    Folder(SavedFolder),
}

impl Shelf {
    fn add(&mut self, answer: &KeptAnswer, body: &[u8]) -> Result<(), KeepError> {
        match self {
            Self::Run(writer) => writer.add(answer, body),
            Self::Folder(folder) => folder.add(answer, body),
        }
    }
}

/// One run's keeper.
pub struct Keeper(RefCell<State>);

enum State {
    Keeps(Shelf),
    /// An answer is on its way to the shelf.
    Busy,
    GaveUp(KeepError),
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    pub fn new(shelf: Shelf) -> Self {
        Self(RefCell::new(State::Keeps(shelf)))
    }

    /// Keeps an answer and gives it back.
    pub(in crate::pipeline) async fn keep(&self, request: &Outgoing, mut answer: Answer, at_ms: i64) -> Answer {
        let state = self.0.replace(State::Busy);
        let State::Keeps(mut shelf) = state else {
            self.0.replace(state);
            return answer;
        };
        let redactor = Redactor::of(request);
        let kept = KeptAnswer::of(request, &answer, at_ms, &redactor);
        let body = std::mem::take(&mut answer.body);
        let work = tokio::task::spawn_blocking(move || {
            let added = redactor.body(&body).and_then(|clean| shelf.add(&kept, &clean));
            (body, added.map(|()| shelf))
        });
        let (back, added) = match work.await {
            Ok(done) => done,
            // The body is lost with it: the run fails as it would by its own panic.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        };
        answer.body = back;
        self.0.replace(added.map_or_else(State::GaveUp, State::Keeps));
        answer
    }

    /// The shelf with all answers, or why there is none.
    pub fn end(self) -> Result<Shelf, KeepError> {
        match self.0.into_inner() {
            State::Keeps(shelf) => Ok(shelf),
            State::GaveUp(error) => Err(error),
            State::Busy => Err(KeepError::Io(std::io::Error::other("the run ended while an answer was written"))),
        }
    }
}
