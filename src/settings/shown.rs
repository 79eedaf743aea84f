//! Settings as a person or a program reads them: every value with where it came from, and no secret.

use std::fmt::Write;

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;
use serde_json::{Map, Value, json};
use url::Url;

use super::Loaded;

const HIDDEN: &str = "***";

/// How settings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

impl Loaded {
    /// All values. YAML: as a settings file would have them, the origin as a comment behind. JSON:
    /// `{"http.port":{"value":9000,"from":"CHARTLY__HTTP__PORT"}}`.
    pub fn shown(&self, format: Format) -> String {
        let values = self.values();
        match format {
            Format::Json => {
                let all = values.into_iter().map(|(key, value)| {
                    let from = self.origin(&key);
                    (key, json!({"value": value, "from": from}))
                });
                let all: Map<String, Value> = all.collect();
                serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
            }
            Format::Yaml => self.yaml(&values),
        }
    }

    fn yaml(&self, values: &[(String, Value)]) -> String {
        let (mut text, mut section) = (String::new(), "");
        for (key, value) in values {
            let (above, name) = key.split_once('.').unwrap_or(("", key));
            if above != section {
                section = above;
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{above}:");
            }
            let indent = if above.is_empty() { "" } else { "  " };
            let line = format!("{indent}{name}: {value}");
            let _ = writeln!(text, "{line:<48} # {}", self.origin(key));
        }
        text
    }

    fn origin(&self, key: &str) -> String {
        self.origins.get(key).cloned().unwrap_or_default()
    }

    /// Dotted keys with their typed values; those without a section first.
    pub(super) fn values(&self) -> Vec<(String, Value)> {
        let tree = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut values = Vec::new();
        for (section, below) in tree.as_object().into_iter().flatten() {
            match below {
                Value::Object(members) => {
                    values.extend(members.iter().map(|(name, value)| (format!("{section}.{name}"), value.clone())));
                }
                plain => values.push((section.clone(), plain.clone())),
            }
        }
        values.sort_by_key(|(key, _)| key.contains('.'));
        values
    }
}

/// Says only that there is a secret.
pub(super) fn secret<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => to.serialize_str(HIDDEN),
        None => to.serialize_none(),
    }
}

/// An address without its password.
pub(super) fn secret_url<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    let Some(secret) = secret else { return to.serialize_none() };
    to.serialize_str(&without_password(secret.expose_secret()))
}

fn without_password(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return HIDDEN.into() };
    if url.cannot_be_a_base() || url.scheme() == "sqlite" {
        return text.to_owned();
    }
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.into();
    }
    // Passwords may stand among the parameters too.
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        for text in ["postgres://u:hunter2@db:5432/x", "postgres://u@db/x?password=hunter2", "post gres hunter2"] {
            assert!(!without_password(text).contains("hunter2"), "{}", without_password(text));
        }
        assert_eq!(without_password("postgres://u:p@db:5432/x"), "postgres://u:***@db:5432/x");
        assert_eq!(without_password("sqlite:/app/data/results.db"), "sqlite:/app/data/results.db");
    }
}
