//! From a profile's plan to batches of records: request, fetch, decode, rows, fields, batch. Knows no actor and
//! no store; time and secrets come from outside.

mod cursor;
mod decode;
pub mod fetch;
mod fields;
mod json;
mod judge;
pub mod kept;
mod outbox;
mod outcome;
mod page;
mod paging;
mod pivot;
pub mod preview;
pub mod proof;
pub mod replay;
mod request;
pub mod requests;
mod rivals;
mod run;
pub mod sight;
mod sign_in;
mod sketch;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod window;

pub use cursor::CursorMark;
pub use fetch::{FetchSettings, Fetcher};
pub use outcome::{Dropped, RunInput, RunOutcome, Secrets, Sink, SinkError, Validators};
pub use run::{run, run_within};

/// A batch holds at most this many records.
pub const MAX_BATCH: usize = 1_000;
