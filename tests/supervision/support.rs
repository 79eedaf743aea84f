//! An actor that can be made to fail in every way, and what tests need around it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use actix::prelude::*;
use chartly::runtime::{Breakpoints, Handle, OnGiveUp, Place, Policy, Root};

/// Stands for the store: what was written stays, whatever happens to the actor or, with a file, to the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    entries: Arc<Mutex<Vec<u64>>>,
    file: Option<PathBuf>,
}

impl Log {
    pub(crate) fn on_disk(path: &Path) -> Self {
        Self { entries: Arc::default(), file: Some(path.to_owned()) }
    }

    pub(crate) fn append(&self, entry: u64) {
        self.entries.lock().expect("the log is never poisoned").push(entry);
        if let Some(path) = &self.file {
            let mut file = std::fs::File::options().append(true).create(true).open(path).expect("the log opens");
            writeln!(file, "{entry}").expect("the log is written");
        }
    }

    pub(crate) fn entries(&self) -> Vec<u64> {
        self.entries.lock().expect("the log is never poisoned").clone()
    }

    pub(crate) fn read_from(path: &Path) -> Vec<u64> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a whole number per line")).collect()
    }
}

/// What survives a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seed {
    pub(crate) log: Log,
    pub(crate) breakpoints: Breakpoints,
    pub(crate) load_time: Duration,
    pub(crate) work_time: Duration,
    /// What the incarnations of the actor went through, on tokio's clock.
    pub(crate) journal: Journal,
}

/// A step in the life of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Started,
    Loaded,
    Reset,
    Stopped,
}

/// Steps with their times since the journal began.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    begun: tokio::time::Instant,
    steps: Arc<Mutex<Vec<(Duration, Step)>>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { begun: tokio::time::Instant::now(), steps: Arc::default() }
    }
}

impl Journal {
    fn note(&self, step: Step) {
        self.steps.lock().expect("the journal is never poisoned").push((self.begun.elapsed(), step));
    }

    pub(crate) fn steps(&self) -> Vec<(Duration, Step)> {
        self.steps.lock().expect("the journal is never poisoned").clone()
    }

    pub(crate) fn times_of(&self, wanted: Step) -> Vec<Duration> {
        self.steps().into_iter().filter(|(_, step)| *step == wanted).map(|(time, _)| time).collect()
    }
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
        seed.journal.note(Step::Started);
        let load = async move {
            tokio::time::sleep(seed.load_time).await;
            seed.breakpoints.pass("load");
            seed.journal.note(Step::Loaded);
            seed.log.entries().len() as u64
        };
        context.wait(load.into_actor(self).map(|count, writer, _| writer.count = Some(count)));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.seed.journal.note(Step::Stopped);
    }
}

impl Supervised for Writer {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.seed.journal.note(Step::Reset);
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
            Some(Fault::Handler) => panic!("injected in the handler"),
            Some(Fault::Spawned) => {
                let failing = async { tokio::task::yield_now().await }.into_actor(self);
                context.spawn(failing.map(|(), _, _| panic!("injected in a spawned future")));
            }
            Some(Fault::Timer) => {
                context.run_later(Duration::from_millis(1), |_, _| panic!("injected in a timer"));
            }
            _ => {}
        }
        let work_time = self.seed.work_time;
        let work = async move { pause(work_time).await }.into_actor(self);
        AtomicResponse::new(Box::pin(work.map(move |(), writer, _| {
            assert!(fault != Some(Fault::BetweenAwaits), "injected between two awaits");
            let count = writer.write(entry);
            assert!(fault != Some(Fault::AfterWrite), "injected after the write");
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
        Box::pin(async { panic!("injected outside the actor") })
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

async fn pause(time: Duration) {
    if time.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(time).await;
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

/// Waits until something holds; fails the test when it does not within two seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("did not come about: {what}");
}

/// Keeps injected panics from filling the output; all others are shown.
pub(crate) fn hush_injected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload_as_str().unwrap_or_default();
            if !text.starts_with("injected") {
                show(info);
            }
        }));
    });
}
