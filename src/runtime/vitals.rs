//! What can be seen of one actor or task, and the one order it can be given from outside: to stop.
//!
//! Shared by the handle (which counts messages), the guard (which writes states) and whoever reports. All of it is
//! atomics, because it is touched on every message; there is no timer and no task behind it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use serde::Serialize;
use tokio::sync::Notify;

use super::error::{AskError, Unfinished};

/// What is supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An actor: restarted after a crash.
    Actor,
    /// A background task: a panic ends it.
    Task,
}

/// Where an actor or task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Loading its state, for the first time or after a crash; messages queue.
    Starting,
    /// Serving.
    Running,
    /// Crashed, waiting to be rebuilt. New messages are refused, queued ones wait.
    Restarting,
    /// Ended: it was told to, it stopped itself, or its arbiter ended.
    Stopped,
    /// Crashed too often, and will not come back.
    GaveUp,
}

impl State {
    const ALL: [Self; 5] = [Self::Starting, Self::Running, Self::Restarting, Self::Stopped, Self::GaveUp];

    /// True once nothing more will happen.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Stopped | Self::GaveUp)
    }
}

/// The order from outside. Orders only ever grow stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    Serve,
    /// Take nothing new, finish what was accepted, stop.
    Drain,
    /// Stop now.
    Kill,
}

impl Order {
    const ALL: [Self; 3] = [Self::Serve, Self::Drain, Self::Kill];
}

/// How asks and tells ended, since the start of the actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AskCounts {
    /// Answered in time.
    pub answered: u64,
    /// Handled without anyone waiting for the answer.
    pub told: u64,
    /// Refused for want of a permit.
    pub overloaded: u64,
    /// Refused during a restart.
    pub restarting: u64,
    /// Lost to a crash.
    pub crashed: u64,
    /// Not answered in time.
    pub deadline: u64,
    /// Refused because the actor was not running.
    pub down: u64,
}

#[derive(Debug, Default)]
struct Counters {
    answered: AtomicU64,
    told: AtomicU64,
    overloaded: AtomicU64,
    restarting: AtomicU64,
    crashed: AtomicU64,
    deadline: AtomicU64,
    down: AtomicU64,
}

/// The vital signs of one actor or task.
#[derive(Debug)]
pub struct Vitals {
    id: u64,
    name: Box<str>,
    kind: Kind,
    capacity: u32,
    state: AtomicU8,
    order: AtomicU8,
    depth: AtomicU32,
    crashes: AtomicU32,
    restarts: AtomicU32,
    last_crash: Mutex<Option<Box<str>>>,
    counters: Counters,
    guard: AtomicWaker,
    end: Notify,
}

/// A copy of the vital signs at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VitalsSnapshot {
    /// Unique within the node, for its life.
    pub id: u64,
    /// The name given at the start.
    pub name: String,
    /// Actor or task.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// True once it was told to stop and takes nothing new.
    pub stopping: bool,
    /// Panics caught.
    pub crashes: u32,
    /// Times it was rebuilt.
    pub restarts: u32,
    /// Messages queued or in work.
    pub queue_depth: u32,
    /// Messages that may be queued or in work.
    pub queue_capacity: u32,
    /// The text of the last panic, cut to a few hundred characters.
    pub last_crash: Option<String>,
    /// How messages ended.
    pub asks: AskCounts,
}

impl Vitals {
    pub(super) fn new(id: u64, name: &str, kind: Kind, capacity: usize) -> Self {
        Self {
            id,
            name: name.into(),
            kind,
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            state: AtomicU8::new(State::Starting as u8),
            order: AtomicU8::new(Order::Serve as u8),
            depth: AtomicU32::new(0),
            crashes: AtomicU32::new(0),
            restarts: AtomicU32::new(0),
            last_crash: Mutex::new(None),
            counters: Counters::default(),
            guard: AtomicWaker::new(),
            end: Notify::new(),
        }
    }

    /// Unique within the node, for its life.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Actor or task.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::SeqCst))]
    }

    /// Messages queued or in work.
    pub fn queue_depth(&self) -> u32 {
        self.depth.load(Ordering::SeqCst)
    }

    /// Panics caught so far.
    pub fn crashes(&self) -> u32 {
        self.crashes.load(Ordering::Relaxed)
    }

    /// A copy of everything.
    pub fn snapshot(&self) -> VitalsSnapshot {
        VitalsSnapshot {
            id: self.id,
            name: self.name.to_string(),
            kind: self.kind,
            state: self.state(),
            stopping: self.order() != Order::Serve,
            crashes: self.crashes(),
            restarts: self.restarts.load(Ordering::Relaxed),
            queue_depth: self.queue_depth(),
            queue_capacity: self.capacity,
            last_crash: self.last_crash().map(String::from),
            asks: self.counters.read(),
        }
    }

    /// Resolves once it has ended, for whatever reason, and its value has been dropped.
    pub async fn ended(&self) {
        loop {
            let end = self.end.notified();
            if self.state().has_ended() {
                return;
            }
            end.await;
        }
    }

    /// Gives an order, waits for the end, and kills at the deadline.
    pub(super) async fn stop(&self, order: Order, deadline: Duration) -> Result<(), Unfinished> {
        self.give_order(order);
        if tokio::time::timeout(deadline, self.ended()).await.is_ok() {
            return Ok(());
        }
        let lost = self.queue_depth() as usize;
        self.give_order(Order::Kill);
        Err(Unfinished { name: self.name.to_string(), lost })
    }

    pub(super) fn give_order(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::SeqCst);
        self.guard.wake();
    }

    pub(super) fn order(&self) -> Order {
        Order::ALL[usize::from(self.order.load(Ordering::SeqCst))]
    }

    /// The guard's waker: woken by orders, and by the last permit that comes back during a drain.
    pub(super) fn wake_on_order(&self, waker: &Waker) {
        self.guard.register(waker);
    }

    pub(super) fn enter(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
        if state.has_ended() {
            self.end.notify_waiters();
        }
    }

    pub(super) fn count_crash(&self, text: &str) {
        self.crashes.fetch_add(1, Ordering::Relaxed);
        *self.last_crash.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }

    pub(super) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_answer(&self) {
        self.counters.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_told(&self) {
        self.counters.told.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_error(&self, error: AskError) {
        self.counters.of(error).fetch_add(1, Ordering::Relaxed);
    }

    fn last_crash(&self) -> Option<Box<str>> {
        self.last_crash.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Counters {
    const fn of(&self, error: AskError) -> &AtomicU64 {
        match error {
            AskError::Overloaded => &self.overloaded,
            AskError::Restarting => &self.restarting,
            AskError::Crashed => &self.crashed,
            AskError::Deadline => &self.deadline,
            AskError::Down => &self.down,
        }
    }

    fn read(&self) -> AskCounts {
        AskCounts {
            answered: self.answered.load(Ordering::Relaxed),
            told: self.told.load(Ordering::Relaxed),
            overloaded: self.overloaded.load(Ordering::Relaxed),
            restarting: self.restarting.load(Ordering::Relaxed),
            crashed: self.crashed.load(Ordering::Relaxed),
            deadline: self.deadline.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
        }
    }
}

/// One message's place in the queue: taken before sending, given back when the message was handled or lost.
#[derive(Debug)]
pub(super) struct Permit(Arc<Vitals>);

impl Permit {
    /// Takes a permit, or says why this actor takes no message now. Taking it first and looking at the order second
    /// is what lets a drain trust an empty queue.
    pub(super) fn take(vitals: &Arc<Vitals>) -> Result<Self, AskError> {
        let free = |depth: u32| (depth < vitals.capacity).then(|| depth + 1);
        let taken = vitals.depth.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free);
        if taken.is_err() {
            return Err(AskError::Overloaded);
        }
        let permit = Self(Arc::clone(vitals));
        match (vitals.order(), vitals.state()) {
            (Order::Drain | Order::Kill, _) | (_, State::Stopped | State::GaveUp) => Err(AskError::Down),
            (_, State::Restarting) => Err(AskError::Restarting),
            (_, State::Starting | State::Running) => Ok(permit),
        }
    }

    pub(super) fn vitals(&self) -> &Vitals {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.0.depth.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.0.order() != Order::Serve {
            self.0.guard.wake();
        }
    }
}
