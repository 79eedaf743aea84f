//! The guard: the future that polls one actor, catches its panics and rebuilds it at the same address.
//!
//! It does the job of `actix::Supervisor`, which knows no panic. The queue belongs to the address and survives; the
//! message that panicked was taken out of it before, so it is not replayed. The actor's future lives outside the frame
//! that unwinds, so `stopped()` never runs on a broken actor.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Supervised, dev::ContextFut, fut::wrap_future};
use tokio::time::{Instant, Sleep, sleep};

use super::{
    panics::payload_text,
    policy::{CrashLog, Verdict},
    report::Report,
    vitals::{Order, State},
};

type Life<A> = ContextFut<A, Context<A>>;

pub(super) struct Guard<A: Actor<Context = Context<A>> + Supervised> {
    life: Option<Life<A>>,
    report: Report,
    log: CrashLog,
    born: Instant,
    pause: Option<Pin<Box<Sleep>>>,
    /// The actor still holds the state of the incarnation that crashed.
    broken: bool,
}

impl<A: Actor<Context = Context<A>> + Supervised> Guard<A> {
    pub(super) fn new(mut life: Life<A>, log: CrashLog, report: Report) -> Self {
        announce(&mut life, &report);
        Self { life: Some(life), report, log, born: Instant::now(), pause: None, broken: false }
    }

    /// Waits out the pause after a crash.
    fn rest(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            self.report.vitals().count_restart();
            self.report.vitals().enter(State::Starting);
        }
        Poll::Ready(())
    }

    /// True when the order from outside is due: at once, or because everything accepted has been answered.
    fn must_stop(&self) -> bool {
        match self.report.vitals().order() {
            Order::Serve => false,
            Order::Drain => self.report.vitals().queue_depth() == 0,
            Order::Kill => true,
        }
    }

    fn step(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        let must_stop = self.must_stop();
        let Some(life) = &mut self.life else { return Poll::Ready(()) };
        if self.broken {
            rebuild(life, &self.report);
            self.broken = false;
        }
        if must_stop {
            life.ctx().stop();
        }
        Pin::new(life).poll(context)
    }

    /// Decides about a crash. Ready when the actor was given up.
    fn crashed(&mut self, payload: &(dyn Any + Send)) -> Poll<()> {
        let text = payload_text(payload);
        self.report.crashed(&text);
        match self.log.record(self.born.elapsed()) {
            Verdict::GiveUp { crashes } => {
                self.bury();
                self.report.gave_up(crashes, text);
                Poll::Ready(())
            }
            Verdict::RestartAfter(pause) => {
                self.report.vitals().enter(State::Restarting);
                self.reset();
                self.pause = Some(Box::pin(sleep(pause)));
                Poll::Pending
            }
        }
    }

    /// Drops the broken state and all that it had spawned, so that its callers learn of the crash now and not after
    /// the pause. Where that panics too, the next step tries again, and its panic counts.
    fn reset(&mut self) {
        let Some(life) = &mut self.life else { return };
        self.broken = catch_unwind(AssertUnwindSafe(|| rebuild(life, &self.report))).is_err();
    }

    fn stopped(&mut self) -> Poll<()> {
        self.bury();
        self.report.stopped();
        Poll::Ready(())
    }

    /// Drops the actor without letting it handle anything more: a context that is dropped alive polls once again.
    fn bury(&mut self) {
        let Some(mut life) = self.life.take() else { return };
        life.ctx().terminate();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(life))) {
            self.report.crashed(&payload_text(payload.as_ref()));
        }
    }
}

/// Calls `Supervised::restarting`. A borrowed address keeps actix from refusing when no handle is left, because the
/// queue may still hold messages that were accepted.
fn rebuild<A: Actor<Context = Context<A>> + Supervised>(life: &mut Life<A>, report: &Report) {
    let address = life.address();
    life.restart();
    drop(address);
    announce(life, report);
}

/// Lets the actor count as running when `started()` and all that it waits for are done. actix polls the youngest wait
/// first, so the one put in before `started()` is the last.
fn announce<A: Actor<Context = Context<A>>>(life: &mut Life<A>, report: &Report) {
    let vitals = report.shared_vitals();
    life.ctx().wait(wrap_future(async move { vitals.enter(State::Running) }));
}

impl<A: Actor<Context = Context<A>> + Supervised> Future for Guard<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        let guard = self.get_mut();
        guard.report.vitals().wake_on_order(context.waker());
        loop {
            if guard.pause.is_some() && guard.must_stop() {
                return guard.stopped();
            }
            ready!(guard.rest(context));
            match catch_unwind(AssertUnwindSafe(|| guard.step(context))) {
                Ok(Poll::Ready(())) => return guard.stopped(),
                Ok(Poll::Pending) if guard.report.vitals().order() == Order::Kill => return guard.stopped(),
                Ok(Poll::Pending) => return Poll::Pending,
                Err(payload) => {
                    if guard.crashed(payload.as_ref()).is_ready() {
                        return Poll::Ready(());
                    }
                }
            }
        }
    }
}

impl<A: Actor<Context = Context<A>> + Supervised> Drop for Guard<A> {
    fn drop(&mut self) {
        self.bury();
    }
}
