//! What the roles say to each other: plain serde messages, each naming its route once, and the one table of
//! fault codes. Knows no actor, no transport and no store.

pub mod aggregator;
pub mod batch;
pub mod call;
pub mod coordinator;
pub mod enrolment;
pub mod fault;
pub mod hello;
pub mod lines;
pub mod paging;
pub mod registry;
pub mod reporter;
