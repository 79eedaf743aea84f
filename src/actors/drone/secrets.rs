//! Secrets by name, from the drone's own environment: `CHARTLY_SECRET_<NAME>`, or the file that
//! `CHARTLY_SECRET_<NAME>_FILE` names. The prefix keeps a profile from reading anything else that lies there.

use std::collections::BTreeSet;

use secrecy::SecretString;

use crate::domain::needs::MAX_SECRETS;
use crate::pipeline::Secrets;

const PREFIX: &str = "CHARTLY_SECRET_";
/// Longer files are not secrets.
const MAX_BYTES: usize = 16 << 10;

/// The environment of this process.
#[derive(Debug)]
pub struct EnvironmentSecrets;

impl Secrets for EnvironmentSecrets {
    fn get(&self, name: &str) -> Option<SecretString> {
        find(name, |variable| std::env::var(variable).ok())
    }
}

/// The names of all secrets that this process holds, at most as many as a drone may tell.
pub(super) fn secret_names() -> BTreeSet<String> {
    names_in(std::env::vars_os().filter_map(|(variable, _)| variable.into_string().ok()))
}

fn names_in(variables: impl Iterator<Item = String>) -> BTreeSet<String> {
    let name = |variable: String| {
        let name = variable.strip_prefix(PREFIX)?;
        Some(name.strip_suffix("_FILE").unwrap_or(name).to_owned())
    };
    variables.filter_map(name).filter(|name| EnvironmentSecrets.get(name).is_some()).take(MAX_SECRETS).collect()
}

fn find(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<SecretString> {
    if let Some(value) = variable(&format!("{PREFIX}{name}")).filter(|value| !value.is_empty()) {
        return Some(value.into());
    }
    let path = variable(&format!("{PREFIX}{name}_FILE"))?;
    match std::fs::read_to_string(&path) {
        Ok(text) if text.len() <= MAX_BYTES && !text.trim().is_empty() => Some(text.trim().into()),
        Ok(_) => {
            tracing::error!(secret = name, path, "the secret's file is empty or too large");
            None
        }
        Err(error) => {
            tracing::error!(secret = name, path, %error, "the secret's file cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_secret_comes_from_its_own_variable_or_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from-file\n").unwrap();
        let variable = |name: &str| match name {
            "CHARTLY_SECRET_FRED_KEY" => Some("value".to_owned()),
            "CHARTLY_SECRET_BLS_KEY_FILE" => Some(file.display().to_string()),
            "REGISTRY_API_KEY" => Some("not for profiles".to_owned()),
            _ => None,
        };
        let found = |name| find(name, variable).map(|secret| secret.expose_secret().to_owned());
        assert_eq!(found("FRED_KEY").as_deref(), Some("value"));
        assert_eq!(found("BLS_KEY").as_deref(), Some("from-file"));
        assert_eq!(found("REGISTRY_API_KEY"), None);
    }
}
