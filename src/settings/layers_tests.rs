use std::fs;

use proptest::prelude::*;

use super::*;
use crate::settings::{Format, Role};

fn map(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn with(variables: &[(&str, &str)], overrides: Overrides) -> Result<Settings, SettingsError> {
    load(Path::new("config"), &map(variables), overrides)
}

fn refused(variables: &[(&str, &str)]) -> String {
    with(variables, vec![]).unwrap_err().to_string()
}

/// Settings with these texts as `test.yaml` and `projects/acme.yaml`.
fn with_files(overlay: &str, project: &str, variables: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("projects")).unwrap();
    fs::write(folder.path().join("test.yaml"), overlay).unwrap();
    fs::write(folder.path().join("projects/acme.yaml"), project).unwrap();
    let mut variables = map(variables);
    variables.extend(map(&[("CHARTLY_ENV", "test"), ("CHARTLY_PROJECT", "acme")]));
    read(folder.path(), &variables, vec![]).map_err(|mut error| {
        for problem in &mut error.problems {
            let origin = problem.origin.take();
            problem.origin = origin.map(|text| text.replace(folder.path().to_str().unwrap(), "config"));
        }
        error
    })
}

fn told(overlay: &str) -> String {
    with_files(overlay, "", &[]).unwrap_err().to_string()
}

#[test]
fn the_built_in_file_is_complete_and_good() {
    let settings = with(&[], vec![]).unwrap();
    assert!(settings.node.roles.is_all());
    assert_eq!((settings.port(), settings.drones()), (8090, 1));
}

#[test]
fn the_file_names_exactly_the_settings_that_there_are() {
    let loaded = read(Path::new("config"), &HashMap::new(), vec![]).unwrap();
    let mut typed: Vec<String> = loaded.values().into_iter().map(|(key, _)| key).collect();
    let mut written: Vec<String> = yaml::leaves("", DEFAULTS).unwrap().into_iter().map(|(key, _)| key).collect();
    typed.sort();
    written.sort();
    assert_eq!(typed, written);
}

#[test]
fn the_overlays_of_the_repository_are_good() {
    for name in ["dev", "staging", "prod"] {
        with(&[("CHARTLY_ENV", name), ("REGISTRY_API_KEY", "long-enough")], vec![]).unwrap_or_else(|e| panic!("{e}"));
    }
    with(&[("CHARTLY_ENV", "prod"), ("CHARTLY_PROJECT", "example")], vec![]).unwrap();
}

#[test]
fn later_layers_win() {
    let overlay = "http:\n  port: 1001\n  workers: 1\nnode: { shutdown_ms: 1001, profiles_scan_ms: 1001 }\n";
    let project = "http:\n  workers: 2\nnode: { shutdown_ms: 1002, profiles_scan_ms: 1002 }\n";
    let own = [("CHARTLY__NODE__SHUTDOWN_MS", "1003"), ("CHARTLY__NODE__PROFILES_SCAN_MS", "1003")];
    let loaded = with_files(overlay, project, &own).unwrap();
    let Settings { http, node, .. } = &loaded.settings;
    assert_eq!((http.port, http.workers, node.shutdown_ms), (Some(1001), 2, 1003));
    let settings = with(&own, vec![("node.shutdown_ms", "1004".into())]).unwrap();
    assert_eq!((settings.node.shutdown_ms, settings.node.profiles_scan_ms), (1004, 1003));
}

#[test]
fn every_value_says_where_it_came_from() {
    let own = [("CHARTLY__HTTP__WORKERS", "3"), ("REGISTRY_API_KEY", "very-secret"), ("REGISTRY_URL", "http://r:1")];
    let loaded = with_files("http:\n  port: 1001\n", "node: { drain_ms: 5 }\n", &own).unwrap();
    let from = |key: &str| loaded.origins[key].rsplit('/').next().unwrap().to_owned();
    assert_eq!(from("http.port"), "test.yaml:2");
    assert_eq!(from("node.drain_ms"), "acme.yaml:1");
    assert_eq!(from("http.workers"), "CHARTLY__HTTP__WORKERS");
    assert_eq!(from("peers.registry_url"), "REGISTRY_URL");
    assert_eq!(from("store.readers"), "built-in");
    for format in [Format::Yaml, Format::Json] {
        assert!(!loaded.shown(format).contains("very-secret"));
    }
    assert!(!format!("{loaded:?}").contains("very-secret"));
}

#[test]
fn all_problems_are_told_at_once_with_file_and_line() {
    let overlay =
        "http:\n  prot: 1\n  port: 70000\n  workers: many\nfleet: 5\nnode:\n  roles: gatway\n  drain_ms: 1.5\n";
    let text = with_files(overlay, "", &[("CHARTLY__STORE__READRES", "1")]).unwrap_err().to_string();
    insta::assert_snapshot!(text, @r#"
    settings: 7 problems
      http.prot is no setting; did you mean http.port? (config/test.yaml:2)
      fleet is a section; expected its settings below it (config/test.yaml:5)
      CHARTLY__STORE__READRES is no setting; did you mean CHARTLY__STORE__READERS?
      http.port is 70000; expected an unsigned 16 bit integer (config/test.yaml:3)
      http.workers is "many"; expected an integer (config/test.yaml:4)
      node.roles is "gatway"; unknown role "gatway"; expected all, or some of gateway,registry,aggregator,coordinator,reporter; did you mean gateway? (config/test.yaml:7)
      node.drain_ms is 1.5; expected a whole number (config/test.yaml:8)
    "#);
}

#[test]
fn contradictions_name_both_sides_and_the_place() {
    let text =
        told("fleet:\n  lease_ms: 6000\nhttp:\n  max_inflated_bytes: 1\nnode:\n  roles: registry\n  drones: 2\n");
    insta::assert_snapshot!(text, @r"
    settings: 3 problems
      fleet.lease_ms is 6000; expected at least twice fleet.heartbeat_ms, so that one lost beat moves no work (config/test.yaml:2)
      http.max_inflated_bytes is 1; expected at least http.max_body_bytes (config/test.yaml:4)
      node.drones is 2; expected 0 without the gateway role: a drone speaks to the gateway (run chartly-drone --control-plane URL) (config/test.yaml:7)
    ");
}

#[test]
fn half_a_file_is_refused_with_its_place() {
    for half in ["http:\n  port: \"80", "http:\n  po", "http:", "http:\n  host:", "[", "http: {port: 1", "\u{0}"] {
        let text = told(half);
        assert!(text.contains("config/test.yaml:"), "{half:?}: {text}");
    }
    assert!(told("http:\n  port: 1\n  port: 2\n").contains("test.yaml:3"), "a key that occurs twice");
    with_files("# nothing yet\n", "", &[]).unwrap();
}

#[test]
fn an_overlay_that_is_not_there_is_told_with_the_nearest() {
    let text = refused(&[("CHARTLY_ENV", "prdo")]);
    assert!(text.contains("config/prdo.yaml") && text.contains("did you mean prod?"), "{text}");
    assert!(refused(&[("CHARTLY_ENV", "../etc")]).contains("a name such as prod"));
}

#[test]
fn unknown_variables_are_refused_with_the_nearest() {
    for (slip, meant) in [
        ("CHARTLY__HTTP__PROT", "CHARTLY__HTTP__PORT"),
        ("CHARTLY_HTTP_PORT", "CHARTLY__HTTP__PORT"),
        ("CHARTLY__HTTP_PORT", "CHARTLY__HTTP__PORT"),
        ("CHARTLY__API_KEY_FLE", "CHARTLY__API_KEY"),
    ] {
        let text = refused(&[(slip, "1")]);
        assert!(text.contains(&format!("{slip} is no setting; did you mean {meant}?")), "{text}");
    }
    with(&[("CHARTLY_HTTP_PORT", "tcp://10.0.0.1:80"), ("CHARTLY_ENV", ""), ("CHARTLY_LOG", "x")], vec![]).unwrap();
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    assert_eq!(with(&[("CHARTLY__HTTP__PORT", ""), ("REGISTRY_API_KEY", "")], vec![]).unwrap().port(), 8090);
}

#[test]
fn the_names_of_before_are_understood() {
    let settings = with(
        &[
            ("REGISTRY_API_KEY", "0012345678"),
            ("CONTROL_PLANE", "http://gateway:8090"),
            ("DRONE_ID", "d1"),
            ("PROCESS_INTERVAL", "5m"),
            ("PROFILES_DIR", "/profiles"),
            ("REGISTRY_URL", "http://a:1"),
            ("AGGREGATOR_URL", "http://b:2"),
            ("COORDINATOR_URL", "http://c:3"),
            ("REPORTER_URL", "http://d:4"),
            ("DB_DRIVER", "sqlite"),
            ("DB_DSN", "/app/data/results.db"),
        ],
        vec![],
    );
    let settings = settings.unwrap();
    let Settings { drone, peers, .. } = &settings;
    assert_eq!(secrecy::ExposeSecret::expose_secret(settings.api_key.as_ref().unwrap()), "0012345678");
    assert_eq!((drone.control_plane.as_deref(), drone.id.as_deref()), (Some("http://gateway:8090"), Some("d1")));
    assert_eq!(drone.min_interval_ms, 300_000);
    assert_eq!(settings.node.profiles_dir.as_deref(), Some(Path::new("/profiles")));
    assert_eq!((&*peers.registry_url, &*peers.reporter_url), ("http://a:1", "http://d:4"));
    let place = settings.store.place().unwrap();
    assert!(matches!(place, Some(crate::settings::StoreUrl::File(path)) if path == Path::new("/app/data/results.db")));
}

#[test]
fn where_an_alias_disagrees_the_real_name_wins_and_that_is_told() {
    let both = [("REGISTRY_URL", "http://old:1"), ("CHARTLY__PEERS__REGISTRY_URL", "http://new:1")];
    let loaded = read(Path::new("config"), &map(&both), vec![]).unwrap();
    assert_eq!(loaded.settings.peers.registry_url, "http://new:1");
    assert!(loaded.notes[0].contains("CHARTLY__PEERS__REGISTRY_URL is used"), "{:?}", loaded.notes);
    let agree = [("REGISTRY_URL", "http://a:1"), ("CHARTLY__PEERS__REGISTRY_URL", "http://a:1")];
    assert_eq!(read(Path::new("config"), &map(&agree), vec![]).unwrap().notes.len(), 0);
}

#[test]
fn a_secret_may_come_from_a_file_and_from_one_place_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "very-secret\n").unwrap();
    let path = file.to_str().unwrap();
    for name in ["REGISTRY_API_KEY_FILE", "CHARTLY__API_KEY_FILE"] {
        let settings = with(&[(name, path)], vec![]).unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(settings.api_key.as_ref().unwrap()), "very-secret");
    }
    let twice = refused(&[("REGISTRY_API_KEY_FILE", path), ("REGISTRY_API_KEY", "other-secret")]);
    assert!(twice.contains("keep one of them") && !twice.contains("secret"), "{twice}");
    assert!(refused(&[("REGISTRY_API_KEY_FILE", "/nowhere/key")]).contains("/nowhere/key"));
    fs::write(&file, "\n").unwrap();
    assert!(refused(&[("REGISTRY_API_KEY_FILE", path)]).contains("is empty"));
    assert!(refused(&[("CHARTLY__HTTP__PORT_FILE", path)]).contains("CHARTLY__HTTP__PORT"));
}

#[test]
fn a_secret_in_a_settings_file_is_refused_and_not_shown() {
    let text = told("api_key: very-secret-1\nstore:\n  url: postgres://u:very-secret-2@db/x\n");
    assert!(text.contains("config/test.yaml:1") && text.contains("config/test.yaml:3"), "{text}");
    assert!(!text.contains("very-secret"), "{text}");
}

#[test]
fn a_key_that_cannot_be_meant_is_refused_and_not_shown() {
    for key in ["k", "with blank in it", "schlüssel-schlüssel"] {
        let text = refused(&[("REGISTRY_API_KEY", key)]);
        assert!(text.contains("(REGISTRY_API_KEY)") && !text.contains(&format!("is {key}")), "{text}");
    }
}

#[test]
fn the_driver_and_the_address_of_the_store_must_agree() {
    for (variables, hint) in [
        (vec![("DB_DRIVER", "postgras")], "did you mean postgres?"),
        (vec![("DB_DRIVER", "postgres")], "DB_DSN is not set"),
        (vec![("DB_DRIVER", "postgres"), ("DB_DSN", "results.db")], "make them agree"),
        (vec![("DB_DSN", "postgers://u:very-secret@db/x")], "did you mean postgres?"),
        (vec![("PROCESS_INTERVAL", "5")], "such as 30s, 5m"),
    ] {
        let text = refused(&variables);
        assert!(text.contains(hint) && !text.contains("very-secret"), "{text}");
    }
}

#[test]
fn a_role_alone_embeds_no_drone() {
    let settings = with(&[], vec![("node.roles", "registry".into())]).unwrap();
    assert_eq!((settings.drones(), settings.port()), (0, Role::Registry.default_port()));
}

#[test]
fn a_gateway_that_asks_itself_is_told() {
    let flags = vec![("node.roles", "gateway".into()), ("http.port", "8092".into())];
    let text = with(&[], flags).unwrap_err().to_string();
    assert!(text.contains("peers.aggregator_url") && text.contains("our own"), "{text}");
}

#[test]
fn lists_come_by_file_variable_and_flag() {
    let loaded = with_files("drone:\n  allow_private: [10.0.0.0/8, \"::1\"]\n", "", &[]).unwrap();
    assert_eq!(loaded.settings.drone.allow_private, ["10.0.0.0/8", "::1"]);
    let settings = with(&[("CHARTLY__DRONE__LABELS", "region=eu, tier=edge")], vec![]).unwrap();
    assert_eq!(settings.drone.labels, ["region=eu", "tier=edge"]);
    let settings = with(&[], vec![("drone.allow_private", "10.0.0.0/8,::1".into())]).unwrap();
    assert_eq!(settings.drone.allow_private, ["10.0.0.0/8", "::1"]);
}

/// Settings of whole numbers that any value above 0 suits.
const NUMBERS: [&str; 5] = [
    "http.rate_burst",
    "node.profiles_scan_ms",
    "reporter.max_running",
    "store.queue_batches",
    "drone.max_concurrency",
];

fn one_layer() -> impl Strategy<Value = Vec<Option<u32>>> {
    prop::collection::vec(prop::option::of(1u32..1_000_000), NUMBERS.len())
}

fn as_yaml(layer: &[Option<u32>]) -> String {
    let set = NUMBERS.iter().zip(layer).filter_map(|(key, value)| Some((key.split_once('.')?, (*value)?)));
    set.map(|((section, name), value)| format!("{section}: {{ {name}: {value} }}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The model: for each key the last layer that sets it.
    #[test]
    fn each_value_is_that_of_the_last_layer_which_sets_it(
        layers in [one_layer(), one_layer(), one_layer(), one_layer()],
    ) {
        let [file, project, variables, flags] = &layers;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("projects")).unwrap();
        fs::write(folder.path().join("e.yaml"), as_yaml(file)).unwrap();
        fs::write(folder.path().join("projects/p.yaml"), as_yaml(project)).unwrap();
        let mut environment = map(&[("CHARTLY_ENV", "e"), ("CHARTLY_PROJECT", "p")]);
        let set = |layer: &[Option<u32>], n: usize| layer[n].map(|value| value.to_string());
        for (n, key) in NUMBERS.iter().enumerate() {
            environment.extend(set(variables, n).map(|value| (variables::variable_of(key), value)));
        }
        let flags_given: Overrides =
            NUMBERS.iter().enumerate().filter_map(|(n, key)| Some((*key, set(flags, n)?))).collect();
        let plain: HashMap<String, serde_json::Value> =
            read(folder.path(), &HashMap::new(), vec![]).unwrap().values().into_iter().collect();
        let loaded = read(folder.path(), &environment, flags_given).unwrap();
        let values: HashMap<String, serde_json::Value> = loaded.values().into_iter().collect();
        for (n, key) in NUMBERS.iter().enumerate() {
            let last = layers.iter().rposition(|layer| layer[n].is_some());
            let expected = last.map_or(plain[*key].clone(), |at| layers[at][n].into());
            prop_assert_eq!(&values[*key], &expected, "{}", key);
            let starts = last.map_or("built-in", |at| [folder.path().to_str().unwrap(), folder.path().to_str().unwrap(), "CHARTLY__", "--"][at]);
            prop_assert!(loaded.origins[*key].starts_with(starts), "{}: {}", key, loaded.origins[*key]);
        }
    }
}
