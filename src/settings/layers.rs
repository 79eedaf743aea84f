//! The layers of settings, from the built-in file up to flags. The only file here that knows the YAML crate and
//! the layering crate.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, ConfigError, Environment, Map, Source, Value};

use super::{Settings, SettingsError};

const DEFAULTS: &str = include_str!("../../config/default.yaml");

/// What flags set, as `("http.port", "8095")`: the last layer.
pub type Overrides = Vec<(&'static str, String)>;

/// Reads all layers. `folder` is where `<environment>.yaml` lies; `environment` is `CHARTLY_ENV`.
pub fn load(
    folder: &Path,
    variables: &HashMap<String, String>,
    overrides: Overrides,
) -> Result<Settings, SettingsError> {
    let unreadable = |error: ConfigError| SettingsError::Unreadable(error.to_string());
    let mut builder = Config::builder().add_source(Yaml::new("built-in defaults", DEFAULTS));
    if let Some(name) = variables.get("CHARTLY_ENV") {
        builder = builder.add_source(overlay(folder, name)?);
    }
    let environment = Environment::with_prefix("CHARTLY")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("drone.allow_private")
        .with_list_parse_key("drone.rewrite")
        .source(Some(variables.clone()));
    builder = builder.add_source(environment);
    if let Some(key) = variables.get("REGISTRY_API_KEY").filter(|key| !key.is_empty()) {
        builder = builder.set_override("api_key", key.as_str()).map_err(unreadable)?;
    }
    for (key, value) in overrides {
        builder = builder.set_override(key, value).map_err(unreadable)?;
    }
    let settings: Settings = builder.build().and_then(Config::try_deserialize).map_err(unreadable)?;
    settings.check()
}

fn overlay(folder: &Path, name: &str) -> Result<Yaml, SettingsError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !plain || name.is_empty() {
        let found = format!("{name:?}");
        return Err(SettingsError::Invalid { key: "CHARTLY_ENV", found, expected: "a name such as prod" });
    }
    let path = folder.join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(&path).map_err(|error| {
        SettingsError::Unreadable(format!("{}: {error} (asked for by CHARTLY_ENV)", path.display()))
    })?;
    Ok(Yaml { origin: path.display().to_string(), text })
}

/// A YAML text as one layer.
#[derive(Debug, Clone)]
struct Yaml {
    origin: String,
    text: String,
}

impl Yaml {
    fn new(origin: &str, text: &str) -> Self {
        Self { origin: origin.into(), text: text.into() }
    }
}

impl Source for Yaml {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let values = serde_yaml::from_str(&self.text);
        values.map_err(|error| ConfigError::Message(format!("{}: {error}", self.origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Role;

    fn with(variables: &[(&str, &str)], overrides: Overrides) -> Result<Settings, SettingsError> {
        let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        load(Path::new("config"), &variables, overrides)
    }

    #[test]
    fn the_built_in_file_is_complete() {
        let settings = with(&[], vec![]).unwrap();
        assert!(settings.node.roles.is_all());
        assert_eq!(settings.port(), 8090);
    }

    #[test]
    fn later_layers_win() {
        let variables =
            [("CHARTLY__HTTP__PORT", "9000"), ("CHARTLY__NODE__ROLES", "registry"), ("CHARTLY__NODE__DRONES", "0")];
        assert_eq!(with(&variables, vec![]).unwrap().port(), 9000);
        let settings = with(&variables, vec![("http.port", "9001".into())]).unwrap();
        assert_eq!(settings.port(), 9001);
        assert!(settings.node.roles.holds(Role::Registry));
    }

    #[test]
    fn an_unknown_key_and_a_contradiction_are_refused() {
        let unknown = with(&[("CHARTLY__HTTP__PROT", "1")], vec![]).unwrap_err().to_string();
        assert!(unknown.contains("prot"), "{unknown}");
        let lease = with(&[("CHARTLY__FLEET__LEASE_MS", "6000")], vec![]).unwrap_err().to_string();
        assert!(lease.contains("fleet.lease_ms is 6000"), "{lease}");
    }

    #[test]
    fn a_short_key_is_a_fault_of_the_settings() {
        let short = with(&[("REGISTRY_API_KEY", "k")], vec![]).unwrap_err().to_string();
        assert!(short.contains("REGISTRY_API_KEY") && !short.contains("\"k\""), "{short}");
    }

    #[test]
    fn the_key_never_shows() {
        let settings = with(&[("REGISTRY_API_KEY", "very-secret")], vec![]).unwrap();
        assert!(!format!("{settings:?}").contains("very-secret"));
    }
}
