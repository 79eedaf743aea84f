//! The HTTP API of a whole node, on a real socket, with real roles and a real store: what a user of the API meets.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

mod client;
mod drones;
mod lines;
mod live;
mod profiles;
mod reports;
mod results;
mod status;
