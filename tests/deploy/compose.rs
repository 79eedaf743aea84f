//! A compose file as far as it decides how processes run: read, anchors and merges resolved, variables filled in.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::ended::repository;
use crate::tools;

/// A file with these variables of the host.
pub fn read(file: &str, host: &BTreeMap<String, String>) -> Value {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    let mut tree: Value = serde_yaml::from_str(&text).unwrap();
    fill_all(&mut tree, host);
    tree
}

fn fill_all(value: &mut Value, host: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => *text = fill(text, host),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_all(item, host)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_all(member, host)),
        _ => {}
    }
}

/// `${NAME}`, `${NAME:-else}`, `${NAME:+then}`, `${NAME:?message}`, also inside of each other.
fn fill(text: &str, host: &BTreeMap<String, String>) -> String {
    let Some(start) = text.find("${") else { return text.to_owned() };
    let end = start + closing(&text[start..]);
    let inner = &text[start + 2..end];
    let (name, rest) = inner.split_at(inner.find(':').unwrap_or(inner.len()));
    let set = host.get(name).filter(|value| !value.is_empty());
    let value = match (rest.get(..2), set) {
        (Some(":-"), None) | (Some(":+"), Some(_)) => fill(&rest[2..], host),
        (Some(":+"), None) => String::new(),
        (Some(":?"), None) => panic!("{name}: {}", &rest[2..]),
        (_, set) => set.cloned().unwrap_or_default(),
    };
    format!("{}{value}{}", &text[..start], fill(&text[end + 1..], host))
}

fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("no end: {text}")
}

pub fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn host(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const JOINS: [(&str, &str); 2] = [("CONTROL_PLANE", "http://gateway:8090"), ("REGISTRY_API_KEY", "long-enough")];
const ROLES: [&str; 5] = ["gateway", "registry", "aggregator", "coordinator", "reporter"];

#[test]
fn variables_are_filled_in_as_compose_does() {
    let host = host(&[("A", "a"), ("E", "")]);
    for (text, filled) in
        [("x${A}y${B}z", "xayz"), ("${B:-${A:-c}}d", "ad"), ("${E:-e}", "e"), ("${A:+then ${A}}${B:+never}", "then a")]
    {
        assert_eq!(fill(text, &host), filled);
    }
}

#[test]
fn the_specification_takes_both_files() {
    let Some(mut check) = tools::find("check-jsonschema", "deploy::compose") else { return };
    let files = ["docker-compose.control.yml", "docker-compose.drone.yml"];
    let checked = check.args(["--builtin-schema", "vendor.compose-spec"]).args(files).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn every_service_is_bounded_and_without_rights() {
    let control = read("docker-compose.control.yml", &host(&[]));
    let drone = read("docker-compose.drone.yml", &host(&JOINS));
    let services = [&control, &drone].into_iter().flat_map(|file| file["services"].as_object().unwrap());
    let mut seen = 0;
    for (name, service) in services {
        let user = service["user"].as_str().unwrap();
        assert!(user.split(':').all(|id| id.parse::<u32>().unwrap() > 0), "{name}: {user}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["healthcheck"]["test"][0] == "CMD", "{name}");
        for limit in ["cpus", "memory", "pids"] {
            assert!(!service["deploy"]["resources"]["limits"][limit].is_null(), "{name}: {limit}");
        }
        assert!(service["logging"]["options"]["max-size"].is_string(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn only_the_port_of_the_gateway_is_published() {
    let control = read("docker-compose.control.yml", &host(&[]));
    for (name, service) in control["services"].as_object().unwrap() {
        assert_eq!(service["ports"].is_array(), name == "gateway", "{name}");
    }
    assert_eq!(control["services"]["gateway"]["ports"][0], "8090:8090");
    for role in ROLES {
        let volumes = words(&control["services"][role]["volumes"]);
        assert!(volumes.contains(&"data:/app/data".to_owned()), "{role}: {volumes:?}");
        assert_eq!(control["services"][role]["environment"]["CHARTLY__NODE__ROLES"], role);
    }
    assert!(control["volumes"]["data"].is_object());
}

#[test]
fn the_profile_swaps_the_store() {
    let dsn = |pairs: &[(&str, &str)]| {
        let file = read("docker-compose.control.yml", &host(pairs));
        file["services"]["aggregator"]["environment"]["DB_DSN"].as_str().unwrap().to_owned()
    };
    assert_eq!(dsn(&[]), "");
    let beside = dsn(&[("COMPOSE_PROFILES", "postgres"), ("POSTGRES_PASSWORD", "p")]);
    assert_eq!(beside, "postgres://chartly:p@postgres:5432/chartly");
    assert_eq!(dsn(&[("COMPOSE_PROFILES", "postgres"), ("DB_DSN", "postgres://u@h/d")]), "postgres://u@h/d");
    let file = read("docker-compose.control.yml", &host(&[]));
    assert_eq!(words(&file["services"]["postgres"]["profiles"]), ["postgres"]);
    let waits = &file["services"]["registry"]["depends_on"]["postgres"];
    assert_eq!((&waits["condition"], &waits["required"]), (&"service_healthy".into(), &false.into()));
}

#[test]
#[should_panic(expected = "set it to the URL of the gateway")]
fn a_drone_without_a_gateway_is_told() {
    read("docker-compose.drone.yml", &host(&[]));
}
