//! A ticker: one step, again and again, never overlapping itself.
//!
//! The pause begins when the step has ended, so a slow step delays the next one and never piles up. It sleeps on
//! tokio's clock, which tests pause.

use std::{future::Future, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ResponseActFuture, fut::wrap_future};
use tokio::time::sleep;

/// How often a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periodic {
    every: Duration,
    jitter: Duration,
    at_once: bool,
}

impl Periodic {
    /// A step after each pause of `every`, the first one after a pause too.
    #[must_use]
    pub const fn every(every: Duration) -> Self {
        Self { every, jitter: Duration::ZERO, at_once: false }
    }

    /// Lengthens each pause by a random time up to `at_most`, so that many tickers do not tick together.
    #[must_use]
    pub const fn jitter(mut self, at_most: Duration) -> Self {
        self.jitter = at_most;
        self
    }

    /// Takes the first step without a pause before it.
    #[must_use]
    pub const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Repeats the step for ever; the body of a background task.
    pub async fn run<F>(self, mut step: impl FnMut() -> F)
    where
        F: Future<Output = ()>,
    {
        sleep(self.first_pause()).await;
        loop {
            step().await;
            sleep(self.pause()).await;
        }
    }

    /// Repeats the step within an actor, for the life of this incarnation: call it in `started()`. Messages are handled
    /// while a step is under way.
    pub fn run_in<A>(
        self,
        context: &mut Context<A>,
        step: impl FnMut(&mut A, &mut Context<A>) -> ResponseActFuture<A, ()> + 'static,
    ) where
        A: Actor<Context = Context<A>>,
    {
        self.step_after(self.first_pause(), context, step);
    }

    fn step_after<A>(
        self,
        pause: Duration,
        context: &mut Context<A>,
        mut step: impl FnMut(&mut A, &mut Context<A>) -> ResponseActFuture<A, ()> + 'static,
    ) where
        A: Actor<Context = Context<A>>,
    {
        let round = wrap_future::<_, A>(sleep(pause)).then(move |(), actor, inner| {
            let running = step(actor, inner);
            running.map(move |(), _, after| self.step_after(self.pause(), after, step))
        });
        context.spawn(round);
    }

    fn first_pause(self) -> Duration {
        if self.at_once { Duration::ZERO } else { self.pause() }
    }

    fn pause(self) -> Duration {
        self.every + self.jitter.mul_f64(rand::random::<f64>())
    }
}
