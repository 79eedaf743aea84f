//! Reads JSON answers without building a tree: a scanner that stops at every token, and a walker that visits only
//! the places a profile wants and hands out one row at a time, so that a long answer never holds up its thread.

mod cell;
mod members;
mod scan;
pub mod sniff;
mod strings;
mod walk;

pub use cell::Cell;
pub use members::member_names;
pub use scan::{JsonError, Scanner, line_and_column};
pub use walk::{WalkError, Walker, accepted};
