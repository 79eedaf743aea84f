//! The same system as one process, and as five with one role each on one data folder.

use std::path::Path;
use std::time::Duration;

use chartly::settings::Role;

use crate::support::{KEY, Process, get, until};

/// A process that runs some roles, and how to start it again.
pub struct Member {
    pub roles: Vec<Role>,
    pub process: Process,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Member {
    fn start(roles: &[Role], folder: &Path, env: Vec<(String, String)>) -> Self {
        Self::start_in(roles, folder, "data", env)
    }

    /// The data in a folder of this name below `folder`, beside that of the profiles.
    pub fn start_in(roles: &[Role], folder: &Path, data: &str, mut env: Vec<(String, String)>) -> Self {
        let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        let at = |name: &str| folder.join(name).to_str().expect("a temporary path is text").to_owned();
        let args = ["serve", "--drones=0", "--roles", &names.join(","), "--data-dir", &at(data)];
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        args.extend(["--profiles-dir".to_owned(), at("profiles")]);
        env.push(("REGISTRY_API_KEY".into(), KEY.into()));
        let process = run(&args, "0", &env);
        Self { roles: roles.to_vec(), process, args, env }
    }

    pub fn url(&self) -> &str {
        &self.process.url
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        let port = self.url().rsplit(':').next().expect("a URL has a port").to_owned();
        self.process = run(&self.args, &port, &self.env);
    }
}

fn run(args: &[String], port: &str, env: &[(String, String)]) -> Process {
    let mut all: Vec<&str> = args.iter().map(String::as_str).collect();
    all.extend(["--port", port]);
    let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Process::chartly(&all, &env)
}

fn store_at(url: Option<&str>) -> Vec<(String, String)> {
    url.map(|url| ("CHARTLY__STORE__URL".to_owned(), url.to_owned())).into_iter().collect()
}

/// A whole system. Its gateway comes last.
pub struct Layout {
    members: Vec<Member>,
}

impl Layout {
    pub fn one_process(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join("profiles")).unwrap();
        Self { members: vec![Member::start(&Role::ALL, folder, Vec::new())] }
    }

    /// One process whose store is elsewhere.
    pub fn one_process_on(folder: &Path, store_url: &str) -> Self {
        std::fs::create_dir_all(folder.join("profiles")).unwrap();
        Self { members: vec![Member::start(&Role::ALL, folder, store_at(Some(store_url)))] }
    }

    /// The four roles start at once on a folder without a store, then the gateway that knows their URLs.
    pub fn five_processes(folder: &Path) -> Self {
        Self::five_on(folder, None)
    }

    /// The same, with the store elsewhere.
    pub fn five_processes_on(folder: &Path, store_url: &str) -> Self {
        Self::five_on(folder, Some(store_url))
    }

    fn five_on(folder: &Path, store_url: Option<&str>) -> Self {
        std::fs::create_dir_all(folder.join("profiles")).unwrap();
        let mut members: Vec<Member> = std::thread::scope(|scope| {
            let start = |role| scope.spawn(move || Member::start(&[role], folder, store_at(store_url)));
            let roles = [Role::Registry, Role::Aggregator, Role::Coordinator, Role::Reporter].map(start);
            roles.into_iter().map(|starting| starting.join().expect("it starts")).collect()
        });
        let peers = members.iter().map(|member| {
            let role = member.roles[0].as_str().to_uppercase();
            (format!("CHARTLY__PEERS__{role}_URL"), member.url().to_owned())
        });
        let peers = peers.collect();
        members.push(Member::start(&[Role::Gateway], folder, peers));
        Self { members }
    }

    pub fn gateway(&self) -> &str {
        self.members.last().expect("there is one").url()
    }

    pub fn of(&mut self, role: Role) -> &mut Member {
        self.members.iter_mut().find(|member| member.roles.contains(&role)).expect("every role is somewhere")
    }

    /// Waits until the gateway finds nothing wrong.
    pub async fn all_well(&self) {
        until("the gateway is well", Duration::from_secs(20), async || {
            (get(&format!("{}/health", self.gateway())).await.json()["status"] == "ok").then_some(())
        })
        .await;
    }
}
