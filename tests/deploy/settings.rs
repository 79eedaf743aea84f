//! `chartly config` and the drone's like, as an operator meets them.

use serde_json::{Value, json};

use crate::ended::{chartly, drone};

const SECRET: &str = "very-secret-indeed";

#[test]
fn every_value_is_printed_with_where_it_came_from() {
    let env = [("CHARTLY_ENV", "prod"), ("REGISTRY_API_KEY", SECRET), ("CHARTLY__HTTP__WORKERS", "2")];
    let printed = chartly(&["config", "print", "--format", "json", "--port", "9000"], &env);
    assert_eq!(printed.code, 0, "{printed:?}");
    let all: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(all["http.port"], json!({"value": 9000, "from": "--port"}));
    assert_eq!(all["http.workers"], json!({"value": 2, "from": "CHARTLY__HTTP__WORKERS"}));
    assert_eq!(all["http.host"]["value"], json!("0.0.0.0"));
    assert!(all["http.host"]["from"].as_str().unwrap().starts_with("config/prod.yaml:"), "{}", all["http.host"]);
    assert_eq!(all["store.readers"]["value"], json!(4));
    assert_eq!(all["node.roles"], json!({"value": "all", "from": "built-in"}));
    assert_eq!(all["api_key"], json!({"value": "***", "from": "REGISTRY_API_KEY"}));
    let yaml = chartly(&["config", "print"], &env);
    let line = yaml.stdout.lines().find(|line| line.contains("workers:")).unwrap();
    assert!(line.starts_with("  workers: 2 ") && line.ends_with("# CHARTLY__HTTP__WORKERS"), "{line}");
    assert!(!yaml.stdout.contains(SECRET) && !printed.stdout.contains(SECRET));
}

#[test]
fn what_is_printed_is_a_settings_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let printed = chartly(&["config", "print", "--port", "9000", "--roles", "gateway"], &[]);
    let plain: String = printed
        .stdout
        .lines()
        .filter(|line| !line.contains("url: null") && !line.contains("api_key"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(folder.path().join("again.yaml"), plain).unwrap();
    let args = ["config", "print", "--format", "json", "--config", folder.path().to_str().unwrap()];
    let again = chartly(&args, &[("CHARTLY_ENV", "again")]);
    let all: Value = serde_json::from_str(&again.stdout).unwrap_or_else(|_| panic!("{again:?}"));
    assert_eq!((&all["http.port"]["value"], &all["node.roles"]["value"]), (&json!(9000), &json!("gateway")));
}

#[test]
fn a_check_tells_all_problems_at_once() {
    let env = [("CHARTLY__HTTP__PROT", "1"), ("CHARTLY__FLEET__LEASE_MS", "soon"), ("REGISTRY_URL", "registry:8091")];
    let checked = chartly(&["config", "check", "--roles", "gatway"], &env);
    assert_eq!(checked.code, 78, "{checked:?}");
    for told in ["CHARTLY__HTTP__PORT?", "fleet.lease_ms is \"soon\"", "did you mean gateway? (--roles)"] {
        assert!(checked.stderr.contains(told), "{told}: {}", checked.stderr);
    }
    let url = chartly(&["config", "check"], &env[2..]);
    assert!(url.stderr.contains("did you mean http://registry:8091? (REGISTRY_URL)"), "{}", url.stderr);
    assert_eq!(chartly(&["config", "check"], &[]).code, 0);
    let network = chartly(&["config", "check"], &[("CHARTLY__DRONE__ALLOW_PRIVATE", "10.0.0.0/99")]);
    assert!(network.code == 78 && network.line().contains("10.0.0.0/99"), "{network:?}");
}

#[test]
fn a_note_says_which_of_two_names_is_used() {
    let env = [("DRONE_ID", "old"), ("CHARTLY__DRONE__ID", "new")];
    let checked = drone(&["--check-config"], &env);
    assert_eq!((checked.code, checked.stdout.as_str()), (0, "the settings are good\n"));
    assert!(checked.line().contains("CHARTLY__DRONE__ID is used"), "{checked:?}");
}

#[test]
fn a_drone_has_the_same_layers() {
    let env = [("CONTROL_PLANE", "http://gateway:8090"), ("PROCESS_INTERVAL", "5m"), ("REGISTRY_API_KEY", SECRET)];
    let printed = drone(&["--print-config", "--label", "region=eu", "--data-dir", "/var/lib/x"], &env);
    let line = |name: &str| printed.stdout.lines().find(|line| line.trim().starts_with(name)).unwrap().to_owned();
    assert!(line("min_interval_ms:").contains("300000") && line("min_interval_ms:").ends_with("# PROCESS_INTERVAL"));
    assert!(line("labels:").contains("region=eu") && line("labels:").ends_with("# --labels"), "{}", line("labels:"));
    assert!(line("control_plane:").contains("http://gateway:8090"));
    assert!(!printed.stdout.contains(SECRET));
    for (args, hint) in [
        (["--label", "region"], "expected key=value"),
        (["--id", "a/b"], "drone.id"),
        (["--control-plane", "htp://x"], "did you mean http://x?"),
    ] {
        let refused = drone(&[args[0], args[1], "--check-config"], &[]);
        assert!(refused.code == 78 && refused.line().contains(hint), "{refused:?}");
    }
    let nowhere = drone(&[], &[]);
    assert!(nowhere.code == 78 && nowhere.line().contains("--control-plane"), "{nowhere:?}");
}
