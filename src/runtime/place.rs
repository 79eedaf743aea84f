//! Where actors and tasks run: one arbiter, which is one thread.

use std::{io, sync::Arc, sync::mpsc};

use actix::{Arbiter, ArbiterHandle};

/// One arbiter by name. Cheap to clone. Actors of one place share its thread and cost no thread switch to talk.
#[derive(Debug, Clone)]
pub struct Place(Arc<Spot>);

#[derive(Debug)]
struct Spot {
    name: String,
    arbiter: ArbiterHandle,
    runtime: tokio::runtime::Handle,
}

impl Place {
    /// The caller's own arbiter. It is watched only on demand (`Root::watch`), and `Root::stop` leaves it running. Tests that pause the clock must
    /// place all their actors here, because a clock is paused per thread.
    ///
    /// # Panics
    /// Outside an actix system.
    #[must_use]
    pub fn current() -> Self {
        Self::new("current", Arbiter::current(), tokio::runtime::Handle::current())
    }

    fn new(name: &str, arbiter: ArbiterHandle, runtime: tokio::runtime::Handle) -> Self {
        Self(Arc::new(Spot { name: name.to_owned(), arbiter, runtime }))
    }

    /// Starts a thread with an arbiter on it.
    pub(super) fn launch(name: &str) -> io::Result<(Self, Arbiter)> {
        let (announce, announced) = mpsc::channel();
        let arbiter = Arbiter::try_with_tokio_rt(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let _ = announce.send(runtime.handle().clone());
            Ok(runtime)
        })?;
        let runtime = announced.recv().map_err(io::Error::other)?;
        Ok((Self::new(name, arbiter.handle(), runtime), arbiter))
    }

    /// The name given at the start.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// Runs a function on the arbiter's thread. False when the arbiter has ended; the function is then dropped.
    pub(super) fn run(&self, function: impl FnOnce() + Send + 'static) -> bool {
        self.0.arbiter.spawn_fn(function)
    }
}
