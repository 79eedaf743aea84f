//! The promises of `docs/guarantees.md`, one file each. Every test here fails when its promise is broken.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

// The eight promises, in their order.
mod answers;
mod bounds;
mod escalation;
mod isolation;
mod restart;
mod shutdown;
mod stuck_arbiter;
mod visibility;

// All of them at once, under random faults and under load.
mod random_faults;
mod stress;

// What the promises are made of.
mod many_actors;
mod panic_log;
mod periodic;
mod tasks;

mod node;
mod support;
