//! What an operator installs and what he meets: settings, bad input at the start, images, compose files, scripts, units.
//! Over the real programs and the real files of the repository.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod compose;
mod containers;
mod content;
mod ended;
mod image;
mod native;
mod powershell;
mod reset;
mod scripts;
mod settings;
mod start;
mod tools;
mod units;
