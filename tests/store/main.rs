//! The store's contract, on real files: what every engine must do, random histories with crashes against a model,
//! kills of a real process, full disks, damaged files, and what a record costs.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod common;

mod contract;
mod doctor;
mod engines;
mod faults;
mod histories;
mod kill;
mod lives;
mod model;
mod quarantine;
mod releases;
mod replays;
mod retention;
mod server;
mod size;
mod support;
mod transfer;
mod versions;
mod yields;
