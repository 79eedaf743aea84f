//! The whole system over real processes and sockets, as a user meets it.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod alone;
mod bad_input;
mod cursor;
mod demo;
mod drift;
mod drone;
mod enrolment;
mod fixtures;
mod offline;
mod prototype_faults;
mod public_data;
mod registry;
mod replay;
mod replay_tool;
mod retention;
mod survival;
