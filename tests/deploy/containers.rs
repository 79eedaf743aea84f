//! No engine runs here, so the containers are played: exactly the command lines, environment and file layout that the
//! compose files and the image declare, as processes on loopback. Changed are only what an engine would change too:
//! where `/app` and the programs lie, what a service's name resolves to, and which port is whose.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::compose::{self, words};
use crate::ended::{self, repository};
use crate::image::{Image, image};
use crate::support::postgres::PostgresServer;
use crate::support::source::{Reply, Source};
use crate::support::{KEY, Process, get, put_profile, records, skip, until};

const PROGRAMS: [(&str, &str); 2] = [
    ("/usr/local/bin/chartly-drone", env!("CARGO_BIN_EXE_chartly-drone")),
    ("/usr/local/bin/chartly", env!("CARGO_BIN_EXE_chartly")),
];

/// What an engine does for one project: a root for each container, volumes, names.
struct Engine {
    folder: tempfile::TempDir,
    /// `registry:8091` is `127.0.0.1:40001`.
    names: Vec<(String, String)>,
}

impl Engine {
    fn new(names: &[(&str, u16)]) -> Self {
        let free: Vec<TcpListener> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let names = names.iter().zip(&free);
        let names =
            names.map(|((name, port), free)| (format!("{name}:{port}"), free.local_addr().unwrap().to_string()));
        Self { folder: tempfile::tempdir().unwrap(), names: names.collect() }
    }

    fn address(&self, service: &str) -> &str {
        let own = self.names.iter().find(|(name, _)| name.starts_with(&format!("{service}:")));
        &own.expect("it has a port").1
    }

    /// The `/app` of a container, with what the image copies there and what is mounted.
    fn app(&self, container: &str, image: &Image, service: &Value, project: &str) -> PathBuf {
        let app = self.folder.path().join(container).join("app");
        fs::create_dir_all(&app).unwrap();
        for (from, sources, target) in &image.copies {
            if let (None, Some(below)) = (from, target.strip_prefix("/app/")) {
                std::os::unix::fs::symlink(repository().join(&sources[0]), app.join(below)).unwrap();
            }
        }
        for mount in words(&service["volumes"]) {
            let (from, to) = mount.split_once(":/app/").unwrap();
            let to = app.join(to.trim_end_matches(":ro"));
            let _ = fs::remove_file(&to);
            let from = if from.starts_with(['.', '/']) {
                repository().join(from)
            } else {
                self.folder.path().join(format!("volume-{project}-{from}"))
            };
            fs::create_dir_all(&from).unwrap();
            std::os::unix::fs::symlink(from, to).unwrap();
        }
        app
    }

    fn here(&self, text: &str, app: &Path) -> String {
        let mut text = text.to_owned();
        for (name, address) in &self.names {
            text = text.replace(name, address);
        }
        for (inside, outside) in PROGRAMS {
            if text == inside {
                return outside.to_owned();
            }
        }
        text.replace("/app/", &format!("{}/", app.display()))
    }
}

/// A container as the files declare it.
struct Container {
    words: Vec<String>,
    health: Vec<String>,
    env: BTreeMap<String, String>,
    app: PathBuf,
}

impl Container {
    fn of(engine: &Engine, name: &str, image: &Image, service: &Value, project: &str) -> Self {
        let app = engine.app(name, image, service, project);
        let command = if service["command"].is_array() { words(&service["command"]) } else { image.command.clone() };
        let all = image.entrypoint.iter().chain(&command);
        let words_here = all.map(|word| engine.here(word, &app)).collect();
        let health = words(&service["healthcheck"]["test"])[1..].iter().map(|word| engine.here(word, &app)).collect();
        let mut env = image.env.clone();
        for (name, value) in service["environment"].as_object().unwrap() {
            env.insert(name.clone(), engine.here(value.as_str().unwrap(), &app));
        }
        Self { words: words_here, health, env, app }
    }

    /// In the image's working folder, and with no other variable than the container has.
    fn command(&self, words: &[String]) -> std::process::Command {
        let mut command = std::process::Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(&self.env).current_dir(&self.app);
        command
    }

    fn start(&self) -> Process {
        Process::run(self.command(&self.words))
    }

    fn health(&self) -> i32 {
        ended::run(&mut self.command(&self.health)).code
    }
}

fn control_plane(engine: &Engine, host: &BTreeMap<String, String>) -> Vec<(String, Container)> {
    let file = compose::read("docker-compose.control.yml", host);
    let image = image("control");
    let services = file["services"].as_object().unwrap().iter().filter(|(_, service)| service["profiles"].is_null());
    let containers = services.map(|(name, service)| {
        let mut container = Container::of(engine, name, &image, service, "control");
        // The engine's network: the address inside is free for each container, here it is a port of its own.
        let (host, port) = engine.address(name).split_once(':').unwrap();
        assert_eq!(container.env["CHARTLY__HTTP__HOST"], "0.0.0.0", "reached from other containers");
        container.env.insert("CHARTLY__HTTP__HOST".into(), host.into());
        container.env.insert("CHARTLY__HTTP__PORT".into(), port.into());
        (name.clone(), container)
    });
    containers.collect()
}

const NAMES: [(&str, u16); 5] =
    [("gateway", 8090), ("registry", 8091), ("aggregator", 8092), ("coordinator", 8093), ("reporter", 8094)];

fn profile(url: &str) -> String {
    format!(
        "id: fetched\nname: fetched\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"{url}\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 1h, jitter: 0s }}\nmapping:\n  n: dims.n\n  v: measures.v\n"
    )
}

#[actix_web::test]
async fn what_the_compose_files_declare_works() {
    let engine = Engine::new(&NAMES);
    the_files_work(&engine, BTreeMap::new()).await;
    assert!(engine.folder.path().join("volume-control-data/results.db").exists());
}

/// The server in the container of the profile is a real one, at the address that the name stands for.
#[actix_web::test]
async fn what_the_compose_files_declare_works_on_postgres() {
    let names = [&NAMES[..], &[("postgres", 5432)]].concat();
    let engine = Engine::new(&names);
    let port = engine.address("postgres").rsplit(':').next().unwrap().parse().unwrap();
    let _server = match PostgresServer::contained(port, "chartly", "letters0and1digits").await {
        Ok(server) => server,
        Err(component) => return skip("deploy::containers on_postgres", &component),
    };
    let host = [("COMPOSE_PROFILES", "postgres"), ("POSTGRES_PASSWORD", "letters0and1digits")];
    let host = host.map(|(name, value)| (name.to_owned(), value.to_owned()));
    the_files_work(&engine, host.into()).await;
    assert!(!engine.folder.path().join("volume-control-data/results.db").exists(), "nothing is in SQLite");
}

/// No key is set: the first role makes one in the volume, and all find the same. The drones join with a token.
async fn the_files_work(engine: &Engine, mut host: BTreeMap<String, String>) {
    let empty = engine.folder.path().join("no-profiles");
    host.insert("PROFILES".to_owned(), empty.to_str().unwrap().to_owned());
    let control = control_plane(engine, &host);
    assert_eq!(control.len(), 5);
    assert_eq!(control[0].1.health(), 1, "not healthy before it runs");
    // In no particular order, all at once, on a new volume.
    let running: Vec<Process> = control.iter().rev().map(|(_, container)| container.start()).collect();
    let gateway = format!("http://{}", engine.address("gateway"));
    let most = Duration::from_secs(60);
    for (name, container) in &control {
        until(&format!("{name} is healthy"), most, async || (container.health() == 0).then_some(())).await;
    }
    until("nobody is away", most, async || {
        let health = get(&format!("{gateway}/health")).await.json();
        (health["status"] == "ok" && health["away"] == json!([])).then_some(())
    })
    .await;

    let key = fs::read_to_string(engine.folder.path().join("volume-control-data/api-key")).unwrap();
    let key = key.trim();
    let token = invite(&gateway, key, 2).await;
    let drone_host = BTreeMap::from([
        ("CONTROL_PLANE".to_owned(), gateway.clone()),
        ("ENROL_TOKEN".to_owned(), token),
        ("DRONE_ALLOW_PRIVATE".to_owned(), "127.0.0.1/32".to_owned()),
        ("DRONE_LABELS".to_owned(), "region=eu".to_owned()),
    ]);
    let file = compose::read("docker-compose.drone.yml", &drone_host);
    let drone_image = image("drone");
    // --scale drone=2
    let drones = ["drone-1", "drone-2"]
        .map(|name| Container::of(engine, name, &drone_image, &file["services"]["drone"], "drone"));
    let _fleet = [drones[0].start(), drones[1].start()];
    for drone in &drones {
        until("the drone is healthy", most, async || (drone.health() == 0).then_some(())).await;
    }
    until("both have joined", most, async || {
        let stats = get(&format!("{gateway}/api/drones/stats")).await.json();
        (stats["online"] == 2).then_some(())
    })
    .await;
    let fleet = get(&format!("{gateway}/api/drones")).await.json();
    assert!(fleet["items"].as_array().unwrap().iter().all(|drone| drone["key"].is_object()), "{fleet}");
    let keys: Vec<_> = ["1", "2"]
        .map(|slot| fs::read_to_string(engine.folder.path().join("volume-drone-data").join(slot).join("drone-key")))
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(keys[0] != keys[1] && !keys.contains(&key.to_owned()), "each has its own");

    let source = Source::start(|_, _| Reply::json(r#"[{"n":"a","v":1},{"n":"b","v":2}]"#));
    let headers = [("content-type", "application/yaml"), ("x-api-key", key)];
    let put = crate::support::send("POST", &format!("{gateway}/api/profiles"), &headers, profile(&source.url())).await;
    assert_eq!(put.status, 201, "{}", put.text());
    until("the records are there", most, async || {
        let summary = get(&format!("{gateway}/api/results/summary")).await.json();
        (summary["records"] == 2).then_some(())
    })
    .await;
    assert_eq!(records(&gateway, "fetched").await.len(), 2);
    only_volumes_were_written(&control, &drones);
    assert_eq!(running.len(), 5);
}

async fn invite(gateway: &str, key: &str, uses: u32) -> String {
    let headers = [("content-type", "application/json"), ("x-api-key", key)];
    let body = json!({"uses": uses}).to_string();
    let invited = crate::support::send("POST", &format!("{gateway}/api/drones/invites"), &headers, body).await;
    assert_eq!(invited.status, 201, "{}", invited.text());
    invited.json()["token"].as_str().unwrap().to_owned()
}

/// The root file system is read-only there; here nothing may have been written beside the volumes.
fn only_volumes_were_written(control: &[(String, Container)], drones: &[Container]) {
    for app in control.iter().map(|(_, container)| &container.app).chain(drones.iter().map(|drone| &drone.app)) {
        for entry in fs::read_dir(app).unwrap().flatten() {
            assert!(entry.file_type().unwrap().is_symlink(), "{} was written", entry.path().display());
        }
    }
}

/// The image by itself, without compose: all roles, its own command, its own volume.
#[actix_web::test]
async fn the_image_alone_is_a_whole_node() {
    let engine = Engine::new(&[("gateway", 8090)]);
    let control = image("control");
    let test = [vec!["CMD".to_owned()], control.health.clone()].concat();
    let service = json!({
        "volumes": ["data:/app/data"],
        "healthcheck": {"test": test},
        "environment": {"REGISTRY_API_KEY": KEY}
    });
    let mut container = Container::of(&engine, "one", &control, &service, "one");
    let (host, port) = engine.address("gateway").split_once(':').unwrap();
    container.env.insert("CHARTLY__HTTP__HOST".into(), host.into());
    container.env.insert("CHARTLY__HTTP__PORT".into(), port.into());
    // The profiles of the image would fetch from the real world.
    container.env.insert("PROFILES_DIR".into(), engine.folder.path().join("none").to_str().unwrap().into());
    fs::create_dir(engine.folder.path().join("none")).unwrap();
    let _node = container.start();
    until("it is healthy", Duration::from_secs(30), async || (container.health() == 0).then_some(())).await;
    let url = format!("http://{host}:{port}");
    assert_eq!(put_profile(&url, &profile("http://127.0.0.1:9/")).await.status, 201);
    assert!(container.app.join("data/results.db").exists(), "in the volume");
}
