//! Supervision: what actix leaves out, and all that the project needs of it.
//!
//! actix does not restart an actor that panicked, does not bound a mailbox in practice, and answers `Closed` for
//! whatever went wrong. This module starts every actor under a guard that catches its panics, rebuilds it at
//! the same address after a pause, and gives up aloud; and it hands out a [`Handle`] that bounds the queue, puts a
//! deadline on every question and says which failures are safe to retry. The promises made to users stand in
//! `docs/guarantees.md`, each with its test in `tests/supervision/`.
//!
//! It knows nothing of Chartly: no domain type, no setting, no store, no HTTP.
//!
//! How an actor fits in:
//!
//! - it holds an immutable *seed* (settings, handles, a pool) and *state* that is loaded, never patched;
//! - `started()` loads the state by `ctx.wait(load)`: the queue waits meanwhile, a panic of the load is a crash;
//! - `Supervised::restarting()` drops the state: it runs at once after a crash, `started()` runs after the pause;
//! - work belongs in the handler, `AtomicResponse`, `ResponseActFuture` or `ctx.spawn`, where a panic is caught here;
//!   `ResponseFuture` runs outside the actor: its panic answers `Crashed`, and the actor goes on untouched.

mod clock;
mod drain;
mod error;
mod guard;
mod handle;
mod panics;
mod periodic;
mod place;
mod policy;
mod report;
mod root;
mod task;
mod testkit;
mod vitals;
mod watchdog;

pub use clock::Clock;
pub use drain::{DrainReport, DrainSequence};
pub use error::{AskError, Unfinished};
pub use handle::Handle;
pub use panics::install_panic_hook;
pub use periodic::Periodic;
pub use place::Place;
pub use policy::{CrashLog, OnGiveUp, Policy, Verdict};
pub use report::{ESCALATION_EXIT_CODE, Escalation, Reason};
pub use root::Root;
pub use task::Task;
pub use testkit::Breakpoints;
pub use vitals::{AskCounts, Kind, State, Vitals, VitalsSnapshot};
pub use watchdog::{PlaceSnapshot, WatchPolicy};
