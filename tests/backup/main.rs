//! Backups, restores and moves of a store, over real processes.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod scheduled;
mod work;
