//! Panics are log lines: thread, message and place in the code, through the same log as everything else.

use chartly::runtime::install_panic_hook;

use crate::node::{self, Process, Scenario};

#[test]
fn a_panic_is_logged_with_its_thread_its_message_and_its_place() {
    if Scenario::of_this_process().is_some() {
        node::exit(panic_in_a_thread());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "panic_log::a_panic_is_logged_with_its_thread_its_message_and_its_place";
    let (said, code, _) = Process::start(name, Scenario::Calm, folder.path(), false).end();
    assert_eq!(code, Some(0));
    let line: serde_json::Value = serde_json::from_str(&said[0]).expect("one line of JSON");
    assert_eq!((&line["level"], &line["fields"]["thread"]), (&"ERROR".into(), &"worker".into()));
    assert_eq!(line["fields"]["message"], "injected 42");
    let location = line["fields"]["location"].as_str().expect("a text");
    assert!(location.starts_with("tests/supervision/panic_log.rs:"), "{location}");
}

fn panic_in_a_thread() -> i32 {
    let to_the_test = || {
        print!("node: ");
        std::io::stdout()
    };
    tracing_subscriber::fmt().json().with_writer(to_the_test).init();
    install_panic_hook();
    let worker = std::thread::Builder::new().name("worker".to_owned());
    let panicking = worker.spawn(|| panic!("injected {}", 42)).expect("a thread");
    i32::from(panicking.join().is_ok())
}
