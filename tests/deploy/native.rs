//! The scripts without Docker, over the real programs: up, verified, more and fewer drones, logs, down, removed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ended::{self, Ended};
use crate::scripts::Bench;
use crate::support::{get, until};

/// Scripts on a data folder of their own; whatever they have started ends with the test.
struct Native {
    bench: Bench,
}

impl Native {
    fn command(&self, script: &str, args: &[&str]) -> Command {
        let mut command = self.bench.command(script, args);
        let programs = Path::new(env!("CARGO_BIN_EXE_chartly")).parent().unwrap();
        command.env("CHARTLY_BIN_DIR", programs).env("PROFILES_DIR", self.bench.folder.path().join("none"));
        command
    }

    /// To its end, which is later than that of the processes which it only starts.
    fn run(&self, script: &str, args: &[&str]) -> Ended {
        let output = self.bench.folder.path().join("output");
        let file = std::fs::File::create(&output).unwrap();
        let mut command = self.command(script, args);
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        let text = std::fs::read_to_string(&output).unwrap();
        Ended { code: status.code().unwrap_or(-1), stdout: text.clone(), stderr: text }
    }

    fn done(&self, script: &str, args: &[&str]) -> String {
        let ended = self.run(script, args);
        assert_eq!(ended.code, 0, "{script} {args:?}: {}", ended.stdout);
        ended.stdout
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = ended::run(&mut self.command("stop-all.sh", &["--native"]));
    }
}

/// The first of five free ports in a row.
fn free_ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let from = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (from..40_000).step_by(5).find(|first| (*first..first + 5).all(free)).unwrap()
}

#[actix_web::test]
async fn everything_runs_without_docker() {
    let native = Native { bench: Bench::new() };
    let port = free_ports().to_string();
    let url = format!("http://127.0.0.1:{port}");
    let up = native.done("control-plane-up.sh", &["--native", "--split", "--port", &port]);
    assert!(up.contains(&url), "{up}");
    let again = native.done("control-plane-up.sh", &["--native", "--split", "--port", &port]);
    assert!(again.contains("gateway runs already"), "{again}");
    until("the gateway finds the others", Duration::from_secs(10), async || {
        (get(&format!("{url}/health")).await.json()["status"] == "ok").then_some(())
    })
    .await;
    let verified = native.done("verify.sh", &["--url", &url]);
    for path in ["/health", "/api/status", "/api/profiles", "/api/results/summary"] {
        assert!(verified.contains(&format!("ok    GET {path}\n")), "{verified}");
    }
    assert!(verified.contains("ok    POST /api/results"), "writes are refused without the key: {verified}");

    let online = async |count: usize| {
        until("so many drones", Duration::from_secs(20), async || {
            let drones = get(&format!("{url}/api/drones/stats")).await.json();
            (drones["online"] == count).then_some(())
        })
        .await;
    };
    native.done("drone-up.sh", &["--native", "--control-plane", &url, "--count", "2", "--interval", "5m"]);
    online(2).await;
    let fewer = native.done("drone-up.sh", &["--native", "--control-plane", &url, "--count", "1"]);
    assert!(fewer.contains("stopped drone-2") && fewer.contains("drone-1 runs already"), "{fewer}");
    assert!(native.done("logs.sh", &["--native", "drone-1"]).contains("joined"));
    assert!(native.done("doctor.sh", &["--native", "--url", &url]).contains("nothing to mend"));

    let busy = native.run("reset-data.sh", &["--native", "--apply", "--force"]);
    assert!(busy.code == 65 && busy.stderr.contains("these still run"), "{}", busy.stdout);
    let stopped = native.done("stop-all.sh", &["--native"]);
    assert!(stopped.find("drone-1").unwrap() < stopped.find("gateway").unwrap(), "{stopped}");
    let gone = native.run("verify.sh", &["--url", &url]);
    assert!(gone.code == 1 && gone.stdout.contains("FAIL  GET /health"), "{}", gone.stdout);
    native.done("reset-data.sh", &["--native", "--apply", "--force"]);
    assert_eq!(std::fs::read_dir(native.bench.data()).unwrap().count(), 1, "the key alone is left");
}

#[test]
fn a_start_that_fails_shows_why() {
    let native = Native { bench: Bench::new() };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let failed = native.run("control-plane-up.sh", &["--native", "--port", &port]);
    assert!(failed.code == 1 && failed.stderr.contains("cannot be listened on"), "{}", failed.stdout);
}
