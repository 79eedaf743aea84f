//! Five processes, one role each, and what they cost.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::load::{Target, paced};
use crate::support::{KEY, Process, put_profile};

pub const GET_PROFILE: &str = "{\"tenant\":\"default\",\"id\":\"bench\",\"digest\":null}";
const ROLES: [&str; 5] = ["registry", "aggregator", "coordinator", "reporter", "gateway"];

pub struct Split {
    /// In the order of `ROLES`.
    members: Vec<Process>,
    started_ms: Vec<f64>,
}

impl Split {
    pub fn start(folder: &Path) -> Self {
        let mut split = Self { members: Vec::new(), started_ms: Vec::new() };
        let mut env = vec![
            ("REGISTRY_API_KEY".to_owned(), KEY.to_owned()),
            ("CHARTLY__HTTP__RATE_PER_SECOND".into(), "10000000".into()),
            ("CHARTLY__HTTP__RATE_BURST".into(), "10000000".into()),
            ("CHARTLY_LOG".into(), "warn,chartly::node=info".into()),
        ];
        for role in ROLES {
            let data = folder.join("data");
            let args = ["serve", "--port", "0", "--drones", "0", "--roles", role, "--data-dir", data.to_str().unwrap()];
            let begun = Instant::now();
            let given: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let process = Process::chartly(&args, &given);
            while Target::get(address(&process), "/ready").connect().ask() != 200 {
                std::thread::sleep(Duration::from_millis(2));
            }
            split.started_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            env.push((format!("{}_URL", role.to_uppercase()), process.url.clone()));
            split.members.push(process);
        }
        let yaml = "id: bench\nname: bench\nversion: 1.0.0\n\
                    source: { type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }\n\
                    schedule: { enabled: false, interval: 1h }\nmapping:\n  a: dims.a\n  v: measures.v\n";
        let put = actix_web::rt::System::new().block_on(put_profile(&split.members[4].url, yaml));
        assert_eq!(put.status, 201, "{}", put.text());
        split
    }

    pub fn gateway(&self) -> &str {
        address(&self.members[4])
    }

    pub fn registry(&self) -> &str {
        address(&self.members[0])
    }

    pub fn tell_start(&self) {
        for (role, ms) in ROLES.iter().zip(&self.started_ms) {
            println!("{role:<11} start to ready {ms:>4.0} ms");
        }
    }

    pub fn tell_memory(&self) {
        std::thread::sleep(Duration::from_secs(5));
        for (role, process) in ROLES.iter().zip(&self.members) {
            println!("{role:<11} idle {:>5.1} MiB", process.rss_kib() as f64 / 1024.0);
        }
    }

    /// Another role's answers, before and while one is killed.
    pub fn tell_outage(&mut self) {
        let target = Target::get(self.gateway(), "/api/profiles/bench");
        let each = Duration::from_secs(4);
        let (_, before) = paced(&target, 500, each);
        self.members[1].kill();
        let (_, killed) = paced(&target, 500, each);
        self.members[2].signal("STOP");
        let (_, hanging) = paced(&target, 500, each);
        self.members[2].signal("CONT");
        println!(
            "p99 at the registry, 500 requests/s: {before:.3} ms; aggregator killed {killed:.3} ms; and coordinator \
             hanging {hanging:.3} ms"
        );
    }
}

fn address(process: &Process) -> &str {
    process.url.trim_start_matches("http://")
}
