//! One process or five: the same answers. And what still works while a role is away, what is said of the rest, and
//! that all is well once it is back.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod events;
mod hanging;
mod large;
mod layout;
mod lines;
mod metrics;
mod on_postgres;
mod outage;
mod replicas;
mod same_answers;
mod scenario;
mod shared_file;
