//! A node in miniature, run as a process of its own: storage, a producer, signals, escalation, an exit code.
//!
//! A test starts its own binary again, filtered to itself, with a scenario in the environment; there it becomes the node.

use std::{
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use chartly::runtime::{
    DrainSequence, ESCALATION_EXIT_CODE, Handle, OnGiveUp, Periodic, Place, Policy, Root, Task, WatchPolicy,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::support::{Block, Fault, Linger, Log, Seed, Write, Writer, hush_injected_panics, policy};

const SCENARIO: &str = "SUPERVISION_SCENARIO";
/// A node that has not ended by then will not; without this, a broken promise would hang the tests.
const LIFETIME: Duration = Duration::from_secs(12);
const OUTLIVED_EXIT_CODE: i32 = 99;
const FOLDER: &str = "SUPERVISION_FOLDER";

/// What befalls the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing; it is stopped by signals.
    Calm,
    /// One message takes a minute, so that an orderly stop takes longer than anyone waits.
    Slow,
    /// Storage crashes again and again.
    Poison,
    /// The arbiter of the producer is blocked.
    Stuck,
    /// Ten thousand actors are started.
    Crowd,
}

impl Scenario {
    const ALL: [Self; 5] = [Self::Calm, Self::Slow, Self::Poison, Self::Stuck, Self::Crowd];

    /// The scenario this process was started for, in the test that it was started by.
    pub(crate) fn of_this_process() -> Option<Self> {
        let name = std::env::var(SCENARIO).ok()?;
        Self::ALL.into_iter().find(|scenario| format!("{scenario:?}") == name)
    }
}

/// Ends a process that was started as a node.
#[expect(clippy::disallowed_methods, reason = "stands for a binary's main")]
pub(crate) fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// Says something to the test that started this process.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "node: {line}").expect("the test listens");
    out.flush().expect("the test listens");
}

/// The files of a node: what its storage wrote and what its producer was promised.
pub(crate) fn stored(folder: &Path) -> PathBuf {
    folder.join("stored")
}

pub(crate) fn accepted(folder: &Path) -> PathBuf {
    folder.join("accepted")
}

struct Node {
    root: Root,
    storage: Handle<Writer>,
    producer: Task,
}

/// Runs the node to its end and returns its exit code.
pub(crate) fn run(scenario: Scenario) -> i32 {
    hush_injected_panics();
    std::thread::spawn(|| {
        std::thread::sleep(LIFETIME);
        exit(OUTLIVED_EXIT_CODE);
    });
    actix::System::new().block_on(async move {
        let folder = PathBuf::from(std::env::var(FOLDER).expect("set by the test"));
        let mut signals = signal(SignalKind::terminate()).expect("a signal handler");
        let node = start(scenario, &folder);
        say("ready");
        let mut escalated = node.root.escalated();
        let code = tokio::select! {
            _ = signals.recv() => 0,
            _ = escalated.wait_for(Option::is_some) => ESCALATION_EXIT_CODE,
        };
        say("unready");
        if stop(node, signals).await { code } else { code.max(1) }
    })
}

fn start(scenario: Scenario, folder: &Path) -> Node {
    let root = Root::with_watch(WatchPolicy { interval: Duration::from_millis(20), max_misses: 9 });
    let work = root.place("work").expect("an arbiter");
    let storage_place = root.place("storage").expect("an arbiter");
    let storage = start_storage(&root, &storage_place, folder);
    let producer = start_producer(&root, &work, storage.clone(), &accepted(folder));
    match scenario {
        Scenario::Slow => storage.tell(Linger(Duration::from_secs(60))).expect("accepted"),
        Scenario::Poison => torment(&root, storage.clone()),
        Scenario::Stuck => {
            let blocked = root.start(&work, "blocked", policy(), Writer::default);
            blocked.tell(Block(Duration::from_secs(60))).expect("accepted");
        }
        Scenario::Calm | Scenario::Crowd => {}
    }
    Node { root, storage, producer }
}

fn start_storage(root: &Root, place: &Place, folder: &Path) -> Handle<Writer> {
    let log = Log::on_disk(&stored(folder));
    let limits = Policy { mailbox: 200, min_backoff: Duration::from_millis(1), ..policy() };
    root.start(place, "storage", limits, move || {
        Writer::new(Seed { log, work_time: Duration::from_millis(2), ..Seed::default() })
    })
}

/// Offers numbers faster than storage takes them and writes down each one that was accepted.
fn start_producer(root: &Root, place: &Place, storage: Handle<Writer>, promised: &Path) -> Task {
    let promises = Log::on_disk(promised);
    root.spawn(place, "producer", OnGiveUp::Escalate, move || {
        let mut entry = 0;
        Periodic::every(Duration::from_millis(1)).run(move || {
            entry += 1;
            if storage.tell(Write::well(entry)).is_ok() {
                promises.append(entry);
            }
            std::future::ready(())
        })
    })
}

fn torment(root: &Root, storage: Handle<Writer>) {
    root.spawn(&Place::current(), "tormentor", OnGiveUp::Contain, move || {
        Periodic::every(Duration::from_millis(5)).run(move || {
            let _ = storage.tell(Write::failing(0, Fault::Handler));
            std::future::ready(())
        })
    });
}

/// Producers first, storage last; a second signal stops at once. True when nothing was left undone.
async fn stop(node: Node, mut signals: Signal) -> bool {
    let Node { root, storage, producer } = node;
    let patience = Duration::from_secs(if std::env::var_os("SUPERVISION_HURRY").is_some() { 1 } else { 30 });
    let steps = DrainSequence::new()
        .then("producer", async move { producer.stop(Duration::from_secs(1)).await })
        .then("storage", async move { storage.stop(Duration::from_secs(60)).await });
    let second_signal = async move {
        signals.recv().await;
    };
    let report = steps.run(patience, second_signal).await;
    for name in &report.finished {
        say(&format!("stopped {name}"));
    }
    for name in &report.unfinished {
        say(&format!("gave up on {name}"));
    }
    if report.cut_short {
        say("cut short");
        return false;
    }
    let laggards = root.stop(Duration::from_millis(300)).await;
    say(&format!("laggards {laggards:?}"));
    report.is_clean()
}

/// A node under test. Killed when the test ends before it does.
pub(crate) struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this test binary again, filtered to the test `name`, as the node of a scenario.
    pub(crate) fn start(name: &str, scenario: Scenario, folder: &Path, hurry: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
        command.env(SCENARIO, format!("{scenario:?}")).env(FOLDER, folder);
        if hurry {
            command.env("SUPERVISION_HURRY", "1");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// The next thing the node says; `None` when it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        // The harness may have left the name of the test at the beginning of the line.
        let said = |line: std::io::Result<String>| Some(line.ok()?.split_once("node: ")?.1.to_owned());
        self.lines.find_map(said)
    }

    pub(crate) fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        let done = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(done.success(), "the node was not there to be signalled");
    }

    /// Everything said until the end, the exit code, and how long that took.
    pub(crate) fn end(mut self) -> (Vec<String>, Option<i32>, Duration) {
        let began = Instant::now();
        let said: Vec<String> = std::iter::from_fn(|| self.hear()).collect();
        let status = self.child.wait().expect("the node ends");
        (said, status.code(), began.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
