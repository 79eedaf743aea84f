//! Backups, restores and moves of a store, over real processes.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod faults;
mod moving;
mod scheduled;
mod work;
