//! An actor that can be made to fail in every way, and what tests need around it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::prelude::*;
use chartly::runtime::{Breakpoints, Handle, OnGiveUp, Place, Policy, Root};

/// Stands for the store: what was written stays, whatever happens to the actor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    pub(crate) fn append(&self, entry: u64) {
        self.0.lock().expect("the log is never poisoned").push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<u64> {
        self.0.lock().expect("the log is never poisoned").clone()
    }
}

/// What survives a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seed {
    pub(crate) log: Log,
    pub(crate) breakpoints: Breakpoints,
    pub(crate) load_time: Duration,
}

/// Writes numbers to a log and keeps their count, which it loads from the log when it starts.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    seed: Seed,
    count: Option<u64>,
}

impl Writer {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, count: None }
    }

    fn write(&mut self, entry: u64) -> u64 {
        self.seed.log.append(entry);
        let count = self.count.as_mut().expect("messages are handled after the load");
        *count += 1;
        *count
    }
}

impl Actor for Writer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let seed = self.seed.clone();
        let load = async move {
            tokio::time::sleep(seed.load_time).await;
            seed.breakpoints.pass("load");
            seed.log.entries().len() as u64
        };
        context.wait(load.into_actor(self).map(|count, writer, _| writer.count = Some(count)));
    }
}

impl Supervised for Writer {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.seed.breakpoints.pass("restarting");
        self.count = None;
    }
}

/// Where a panic is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In the handler, before anything else.
    Handler,
    /// In a future that the actor has spawned; the message itself is answered.
    Spawned,
    /// In a timer; the message itself is answered.
    Timer,
    /// Between two await points of the future that answers the message, before the write.
    BetweenAwaits,
    /// After the write, before the answer.
    AfterWrite,
    /// In a future that runs outside the actor.
    Outside,
}

/// Writes an entry, answered with the count. Fails as told.
#[derive(Debug, Message)]
#[rtype(result = "u64")]
pub(crate) struct Write {
    pub(crate) entry: u64,
    pub(crate) fault: Option<Fault>,
}

impl Write {
    pub(crate) const fn well(entry: u64) -> Self {
        Self { entry, fault: None }
    }

    pub(crate) const fn failing(entry: u64, fault: Fault) -> Self {
        Self { entry, fault: Some(fault) }
    }
}

impl Handler<Write> for Writer {
    type Result = AtomicResponse<Self, u64>;

    fn handle(&mut self, message: Write, context: &mut Self::Context) -> Self::Result {
        let Write { entry, fault } = message;
        match fault {
            Some(Fault::Handler) => panic!("in the handler"),
            Some(Fault::Spawned) => {
                let failing = async { tokio::task::yield_now().await }.into_actor(self);
                context.spawn(failing.map(|(), _, _| panic!("in a spawned future")));
            }
            Some(Fault::Timer) => {
                context.run_later(Duration::from_millis(1), |_, _| panic!("in a timer"));
            }
            _ => {}
        }
        let work = async { tokio::task::yield_now().await }.into_actor(self);
        AtomicResponse::new(Box::pin(work.map(move |(), writer, _| {
            assert!(fault != Some(Fault::BetweenAwaits), "between two awaits");
            let count = writer.write(entry);
            assert!(fault != Some(Fault::AfterWrite), "after the write");
            count
        })))
    }
}

/// Answered by a future outside the actor, that panics.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FailOutside;

impl Handler<FailOutside> for Writer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: FailOutside, _: &mut Self::Context) -> Self::Result {
        Box::pin(async { panic!("outside the actor") })
    }
}

/// Answered after a while, without holding up other messages.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Linger(pub(crate) Duration);

impl Handler<Linger> for Writer {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, message: Linger, _: &mut Self::Context) -> Self::Result {
        Box::pin(tokio::time::sleep(message.0).into_actor(self))
    }
}

/// Blocks the thread.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Block(pub(crate) Duration);

impl Handler<Block> for Writer {
    type Result = ();

    fn handle(&mut self, message: Block, _: &mut Self::Context) {
        std::thread::sleep(message.0);
    }
}

/// Short pauses and room for many crashes.
pub(crate) fn policy() -> Policy {
    Policy {
        min_backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(80),
        max_crashes: 5,
        window: Duration::from_secs(60),
        mailbox: 64,
        deadline: Duration::from_secs(5),
        on_give_up: OnGiveUp::Escalate,
    }
}

pub(crate) fn start(root: &Root, place: &Place, policy: Policy, seed: &Seed) -> Handle<Writer> {
    let seed = seed.clone();
    root.start(place, "writer", policy, move || Writer::new(seed))
}
