//! Reports: records of several profiles joined on shared dims, as a table or as correlations. Pure computation
//! over canonical record texts; knows no store, no actor, no clock and no HTTP.
//!
//! The way: [`check()`] a spec, push every record of every source into a [`Collector`], [`Collector::finish`] it,
//! and, where asked, render the result [`as_csv`].

mod answer;
mod check;
mod collector;
mod column;
mod csv;
mod extract;
mod grain;
mod key;
mod path;
mod pearson;

pub use self::check::{CheckedSpec, MAX_INPUTS, MAX_JOIN, SpecError, SpecFault, check};
pub use self::collector::{Collector, DEFAULT_MAX_BYTES, JoinError};
pub use self::csv::as_csv;

#[cfg(test)]
mod tests;
