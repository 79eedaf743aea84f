//! A store as lines of JSON, to move it from one engine to another: versions of profiles, then batches in the order in
//! which they were stored, then the state of profiles, then an end with a digest. An import stores them by the way of
//! every other batch. Knows no engine: what is asked for is one text for both.

mod file;
mod lines;
mod read;
mod write;

pub use file::{Moved, export_file, import_file};
pub(super) use lines::BatchLine;
pub use lines::Totals;
pub(super) use read::{Sink, read_lines};
pub(super) use write::store_line;
