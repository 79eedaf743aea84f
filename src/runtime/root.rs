//! The root of supervision, one per node: starts actors, tasks and arbiters, lists their vitals, hears of their ends.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use actix::{
    Actor, Arbiter, Context, Supervised,
    dev::channel::{AddressReceiver, channel},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{
    guard::Guard,
    handle::Handle,
    panics::payload_text,
    place::Place,
    policy::{CrashLog, OnGiveUp, Policy},
    report::{Escalation, Reason, Report},
    task::{Task, TaskGuard},
    vitals::{Kind, Order, Vitals, VitalsSnapshot},
    watchdog::{self, PlaceSnapshot, Pulse, WatchPolicy},
};

/// Ended actors and tasks that stay listed; beyond that the oldest are forgotten.
const MAX_ENDED_LISTED: usize = 256;
/// What joining the threads gets when draining has used up the deadline.
const MIN_JOIN_TIME: Duration = Duration::from_millis(200);
/// actix bounds a mailbox per sender, which is no bound; permits do it instead (`Handle`).
const UNBOUNDED: usize = 0;

/// Starts and supervises. Clones are the same root.
#[derive(Debug, Clone)]
pub struct Root(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    next_id: AtomicU64,
    listed: Mutex<Listed>,
    places: Mutex<Places>,
    watch_policy: WatchPolicy,
    escalation: watch::Sender<Option<Escalation>>,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Listed {
    vitals: BTreeMap<u64, Arc<Vitals>>,
    ended: VecDeque<u64>,
}

#[derive(Debug, Default)]
struct Places {
    pulses: Vec<Pulse>,
    arbiters: Vec<(String, Arbiter)>,
}

impl Default for Root {
    fn default() -> Self {
        Self::new()
    }
}

impl Root {
    /// A root with nothing under it.
    #[must_use]
    pub fn new() -> Self {
        Self::with_watch(WatchPolicy::default())
    }

    /// As [`Root::new`], with another patience towards arbiters.
    #[must_use]
    pub fn with_watch(watch_policy: WatchPolicy) -> Self {
        Self(Arc::new(Inner {
            next_id: AtomicU64::new(1),
            listed: Mutex::default(),
            places: Mutex::default(),
            watch_policy,
            escalation: watch::Sender::new(None),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Starts a new arbiter, watched by the watchdog.
    ///
    /// # Errors
    /// When the thread or its event loop cannot be had.
    ///
    /// # Panics
    /// Outside an actix system.
    pub fn place(&self, name: &str) -> io::Result<Place> {
        let (place, arbiter) = Place::launch(name)?;
        lock(&self.0.places).arbiters.push((name.to_owned(), arbiter));
        self.watch(&place)?;
        Ok(place)
    }

    /// Has the watchdog watch a place that was not started here: the arbiter of the main thread.
    ///
    /// # Errors
    /// When the watchdog's thread cannot be had.
    pub fn watch(&self, place: &Place) -> io::Result<()> {
        let mut places = lock(&self.0.places);
        if places.pulses.is_empty() {
            watchdog::start(Arc::downgrade(&self.0), self.0.watch_policy.interval)?;
        }
        places.pulses.push(Pulse::new(place.clone()));
        Ok(())
    }

    /// Starts an actor under guard. `make` runs on the place's thread; its panic gives the actor up at once, because it
    /// cannot be made a second time.
    ///
    /// A policy shared by many actors is best passed as one `Arc`. The actor lives as long as somebody holds a handle to it, or until it is stopped.
    #[must_use = "the actor stops when its last handle is dropped"]
    pub fn start<A>(
        &self,
        place: &Place,
        name: impl Into<String>,
        policy: impl Into<Arc<Policy>>,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Handle<A>
    where
        A: Actor<Context = Context<A>> + Supervised,
    {
        let shared = policy.into();
        let log = CrashLog::new(Arc::clone(&shared));
        let vitals = self.list(&name.into(), Kind::Actor, shared.mailbox);
        let report = Report::new(Arc::clone(&vitals), self.clone(), shared.on_give_up);
        let (sender, receiver) = channel(UNBOUNDED);
        place.run(move || bring_to_life(receiver, log, report, make));
        Handle::new(sender, vitals, place.clone(), shared)
    }

    /// Starts a background task under guard: a panic is logged, counted, and escalated or contained as declared.
    /// `make` runs on the place's thread, so that the future need not be `Send`.
    pub fn spawn<F>(
        &self,
        place: &Place,
        name: impl Into<String>,
        on_panic: OnGiveUp,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Task
    where
        F: Future<Output = ()> + 'static,
    {
        let vitals = self.list(&name.into(), Kind::Task, 0);
        let report = Report::new(Arc::clone(&vitals), self.clone(), on_panic);
        let work = async move || make().await;
        place.run(move || spawn_here(TaskGuard::new(work(), report)));
        Task { vitals }
    }

    /// The vital signs of everything listed, in the order of its start.
    #[must_use]
    pub fn vitals(&self) -> Vec<VitalsSnapshot> {
        lock(&self.0.listed).vitals.values().map(|vitals| vitals.snapshot()).collect()
    }

    /// What the watchdog sees of the places.
    #[must_use]
    pub fn places(&self) -> Vec<PlaceSnapshot> {
        lock(&self.0.places).pulses.iter().map(Pulse::snapshot).collect()
    }

    /// `Some` as soon as supervision has given up. A node that sees it becomes unready, shuts down in order and exits.
    #[must_use]
    pub fn escalated(&self) -> watch::Receiver<Option<Escalation>> {
        self.0.escalation.subscribe()
    }

    /// Takes something that has ended off the list. What still lives stays.
    pub fn forget(&self, id: u64) {
        let mut listed = lock(&self.0.listed);
        if listed.vitals.get(&id).is_some_and(|vitals| vitals.state().has_ended()) {
            listed.vitals.remove(&id);
            listed.ended.retain(|ended| *ended != id);
        }
    }

    /// Ends all that is left, then the arbiters: actors finish what they have accepted, tasks are dropped. The order
    /// among actors is the node's matter ([`DrainSequence`](super::DrainSequence)); this is the last step.
    ///
    /// Returns the names of what had not ended by the deadline. Call it from an arbiter that it does not stop.
    pub async fn stop(&self, deadline: Duration) -> Vec<String> {
        self.0.stopping.store(true, Ordering::SeqCst);
        let until = Instant::now() + deadline;
        let mut laggards = self.end_all(until).await;
        laggards.extend(self.join_arbiters(until.max(Instant::now() + MIN_JOIN_TIME)).await);
        laggards
    }

    async fn end_all(&self, until: Instant) -> Vec<String> {
        let living: Vec<Arc<Vitals>> = lock(&self.0.listed).vitals.values().map(Arc::clone).collect();
        for vitals in &living {
            vitals.give_order(if vitals.kind() == Kind::Actor { Order::Drain } else { Order::Kill });
        }
        let mut laggards = Vec::new();
        for vitals in &living {
            if timeout_at(until, vitals.ended()).await.is_err() {
                vitals.give_order(Order::Kill);
                laggards.push(vitals.name().to_owned());
            }
        }
        laggards
    }

    async fn join_arbiters(&self, until: Instant) -> Vec<String> {
        let arbiters = std::mem::take(&mut lock(&self.0.places).arbiters);
        let mut laggards = Vec::new();
        for (name, arbiter) in arbiters {
            arbiter.stop();
            let (joined, wait) = oneshot::channel();
            thread::spawn(move || joined.send(arbiter.join().is_ok()));
            if timeout_at(until, wait).await.is_err() {
                laggards.push(name);
            }
        }
        laggards
    }

    fn list(&self, name: &str, kind: Kind, capacity: usize) -> Arc<Vitals> {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let vitals = Arc::new(Vitals::new(id, name, kind, capacity));
        lock(&self.0.listed).vitals.insert(id, Arc::clone(&vitals));
        vitals
    }

    /// A task that ended well is of no more interest; everything else stays to be seen, up to a number.
    pub(super) fn has_ended(&self, vitals: &Vitals) {
        let mut listed = lock(&self.0.listed);
        if vitals.kind() == Kind::Task && vitals.crashes() == 0 {
            listed.vitals.remove(&vitals.id());
            return;
        }
        listed.ended.push_back(vitals.id());
        if listed.ended.len() > MAX_ENDED_LISTED {
            let oldest = listed.ended.pop_front();
            oldest.and_then(|id| listed.vitals.remove(&id));
        }
    }

    pub(super) fn escalate(&self, name: &str, reason: Reason) {
        self.0.escalate(name.to_owned(), reason);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// One beat of the watchdog; false when there is nothing more to watch.
    pub(super) fn beat(&self) -> bool {
        if self.stopping.load(Ordering::SeqCst) {
            return false;
        }
        let max_misses = self.watch_policy.max_misses;
        let silent: Vec<_> = lock(&self.places).pulses.iter_mut().filter_map(|pulse| pulse.beat(max_misses)).collect();
        for (name, reason) in silent {
            self.escalate(name, reason);
        }
        true
    }

    /// The first escalation counts; what follows is usually its consequence.
    fn escalate(&self, name: String, reason: Reason) {
        self.escalation.send_if_modified(|current| {
            if current.is_some() {
                return false;
            }
            tracing::error!(name, %reason, "escalated");
            *current = Some(Escalation { name, reason });
            true
        });
    }
}

fn bring_to_life<A>(receiver: AddressReceiver<A>, log: CrashLog, report: Report, make: impl FnOnce() -> A)
where
    A: Actor<Context = Context<A>> + Supervised,
{
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(actor) => {
            let life = Context::with_receiver(receiver).into_future(actor);
            spawn_here(Guard::new(life, log, report));
        }
        Err(payload) => {
            let last = payload_text(payload.as_ref());
            drop(receiver);
            report.crashed(&last);
            report.gave_up(1, last);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that spawns: what is spawned here is a guard")]
fn spawn_here(guard: impl Future<Output = ()> + 'static) {
    actix::spawn(guard);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
