//! Names of variables that people's files have had since before, and what they mean here.

use std::collections::BTreeMap;

use super::problem::{Problem, did_you_mean, nearest};

/// Another name for a setting.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    /// The setting's value; the error says what was expected.
    pub(super) value: fn(&str) -> Result<String, String>,
}

const fn plain(name: &'static str, key: &'static str) -> Alias {
    Alias { name, key, value: |text| Ok(text.to_owned()) }
}

/// All of them. `DB_DRIVER` is not here: it names no value of its own and must only agree with `DB_DSN`.
pub(super) const ALIASES: &[Alias] = &[
    plain("REGISTRY_API_KEY", "api_key"),
    plain("CONTROL_PLANE", "drone.control_plane"),
    plain("DRONE_ID", "drone.id"),
    plain("ENROL_TOKEN", "drone.enrol_token"),
    Alias { name: "PROCESS_INTERVAL", key: "drone.min_interval_ms", value: interval_ms },
    plain("PROFILES_DIR", "node.profiles_dir"),
    plain("REGISTRY_URL", "peers.registry_url"),
    plain("AGGREGATOR_URL", "peers.aggregator_url"),
    plain("COORDINATOR_URL", "peers.coordinator_url"),
    plain("REPORTER_URL", "peers.reporter_url"),
    Alias { name: "DB_DSN", key: "store.url", value: |text| Ok(store_url(text)) },
];

const DRIVERS: &[&str] = &["sqlite", "sqlite3", "postgres", "postgresql"];

fn interval_ms(text: &str) -> Result<String, String> {
    let expected = || "expected a time such as 30s, 5m or 1h30m".to_owned();
    let duration: jiff::SignedDuration = text.trim().parse().map_err(|_| expected())?;
    let ms = u64::try_from(duration.as_millis()).map_err(|_| expected())?;
    Ok(ms.to_string())
}

/// A data source name; what has no scheme is a path of SQLite.
fn store_url(text: &str) -> String {
    match text.split_once(':') {
        Some(("file" | "sqlite3", path)) => format!("sqlite:{path}"),
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            text.to_owned()
        }
        _ => format!("sqlite:{text}"),
    }
}

/// Whether `DB_DRIVER` is one, and agrees with the address of the store.
pub(super) fn driver_problem(set: &BTreeMap<&str, &str>) -> Option<Problem> {
    let driver = *set.get("DB_DRIVER")?;
    if !DRIVERS.contains(&driver) {
        let mend = did_you_mean(nearest(driver, DRIVERS.iter().copied()));
        return Some(Problem::new(format!("DB_DRIVER is {driver:?}; expected sqlite or postgres{mend}")));
    }
    let wants_sqlite = driver.starts_with("sqlite");
    match set.get("DB_DSN") {
        Some(dsn) if store_url(dsn).starts_with("sqlite:") != wants_sqlite => Some(Problem::new(format!(
            "DB_DRIVER is {driver:?}, and DB_DSN is the address of another database; make them agree"
        ))),
        None if !wants_sqlite && !set.contains_key("DB_DSN_FILE") && !set.contains_key("CHARTLY__STORE__URL") => {
            Some(Problem::new("DB_DRIVER is postgres, and DB_DSN is not set; set it to postgres://user@host/database"))
        }
        _ => None,
    }
}
