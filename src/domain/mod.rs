//! The words of Chartly: ids, records, runs, fleet. Parsed types with private fields, so that a value
//! that exists is a valid one. Knows no actor, clock, file, socket or SQL.

pub mod batch;
pub mod canonical;
pub mod digest;
pub mod drift;
pub mod fleet;
pub mod ids;
pub mod moment;
pub mod needs;
pub mod observation;
pub mod record;
pub mod rejects;
pub mod report;
pub mod retention;
pub mod run;
pub mod secret_form;
pub mod shape;
