//! Supervised background tasks: no naked spawn.
//!
//! A task is not restarted, because nobody queues for it. What a panic means is declared where it is started.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    error::Unfinished,
    panics::payload_text,
    report::Report,
    vitals::{Order, State, Vitals},
};

/// A running background task. Dropping this does not stop it.
#[derive(Debug, Clone)]
pub struct Task {
    pub(super) vitals: Arc<Vitals>,
}

impl Task {
    /// What can be seen of it.
    #[must_use]
    pub const fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// Drops the task at its next await point, and returns when that is done.
    ///
    /// # Errors
    /// [`Unfinished`] when it did not come to an await point within `deadline`.
    pub async fn stop(&self, deadline: Duration) -> Result<(), Unfinished> {
        self.vitals.stop(Order::Kill, deadline).await
    }
}

/// Polls a task and catches its panic.
pub(super) struct TaskGuard<F> {
    work: Option<Pin<Box<F>>>,
    report: Report,
}

impl<F: Future<Output = ()>> TaskGuard<F> {
    pub(super) fn new(work: F, report: Report) -> Self {
        Self { work: Some(Box::pin(work)), report }
    }

    fn end(&mut self, panic: Option<String>) -> Poll<()> {
        let work = self.work.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(work)));
        let text = panic.or_else(|| dropped.err().map(|payload| payload_text(payload.as_ref())));
        match text {
            None => self.report.stopped(),
            Some(last) => {
                self.report.crashed(&last);
                self.report.gave_up(1, last);
            }
        }
        Poll::Ready(())
    }
}

impl<F: Future<Output = ()>> Future for TaskGuard<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let guard = self.get_mut();
        let vitals = guard.report.vitals();
        vitals.wake_on_order(context.waker());
        if vitals.order() != Order::Serve {
            return guard.end(None);
        }
        vitals.enter(State::Running);
        let Some(work) = &mut guard.work else { return Poll::Ready(()) };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => guard.end(None),
            Err(payload) => guard.end(Some(payload_text(payload.as_ref()))),
        }
    }
}
