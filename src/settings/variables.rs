//! Settings in the environment: `CHARTLY__HTTP__PORT`, `CHARTLY__API_KEY_FILE` for secrets, and the names that people's
//! files have had since before (`REGISTRY_URL`). Where both say something, the `CHARTLY__` one wins, and that is told.

use std::collections::{BTreeMap, HashMap};

use config::{Value, ValueKind};

use super::aliases::{ALIASES, Alias};
use super::problem::{Problem, did_you_mean, nearest};
use super::yaml::Leaf;

const PREFIX: &str = "CHARTLY__";
const FILE_SUFFIX: &str = "_FILE";
/// Settings that may be read from a file, so that they stand in no environment.
pub(super) const SECRETS: &[&str] = &["api_key", "store.url", "store.password", "drone.enrol_token"];
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// What the environment sets.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) leaves: Vec<Leaf>,
    pub(super) problems: Vec<Problem>,
    /// What a person should know although it works.
    pub(super) notes: Vec<String>,
}

/// The variable of a setting.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// Reads all variables that mean settings. `known` are all keys, with whether their value is a list.
pub(super) fn read(variables: &HashMap<String, String>, known: &BTreeMap<String, bool>) -> Found {
    let mut found = Found::default();
    // An empty variable is one that is not set: compose files and scripts pass many of that kind.
    let set: BTreeMap<&str, &str> =
        variables.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (&**key, &**value)).collect();
    for alias in ALIASES {
        found.read_alias(alias, &set);
    }
    for (name, value) in &set {
        match name.strip_prefix(PREFIX) {
            Some(rest) => found.read_own(name, rest, value, known),
            None => found.suspect(name, value, known),
        }
    }
    found.problems.extend(super::aliases::driver_problem(&set));
    found
}

impl Found {
    fn read_own(&mut self, name: &str, rest: &str, value: &str, known: &BTreeMap<String, bool>) {
        let key = rest.to_lowercase().replace("__", ".");
        if let Some(&is_list) = known.get(&key) {
            let kind = if is_list { list(value) } else { value.into() };
            self.put(name, &key, kind);
            return;
        }
        let secret = rest.strip_suffix(FILE_SUFFIX).map(|rest| rest.to_lowercase().replace("__", "."));
        if let Some(secret) = secret.filter(|secret| SECRETS.contains(&secret.as_str())) {
            return self.put_file(name, &secret, value);
        }
        let names: Vec<_> = known.keys().map(|each| variable_of(each)).collect();
        let nearest = nearest(name, names.iter().map(String::as_str));
        self.problems.push(Problem::new(format!("{name} is no setting{}", did_you_mean(nearest))));
    }

    fn read_alias(&mut self, alias: &Alias, set: &BTreeMap<&str, &str>) {
        let file_name = format!("{}{FILE_SUFFIX}", alias.name);
        if let Some(path) = set.get(file_name.as_str()).filter(|_| SECRETS.contains(&alias.key)) {
            self.put_file(&file_name, alias.key, path);
        }
        let Some(value) = set.get(alias.name) else { return };
        match (alias.value)(value) {
            Ok(value) => self.put(alias.name, alias.key, value.into()),
            Err(expected) => self.problems.push(Problem::new(format!("{} is {value:?}; {expected}", alias.name))),
        }
    }

    /// `CHARTLY_HTTP_PORT` is a likely slip; it must not be passed over in silence. Kubernetes makes variables of
    /// such a form for its services, with addresses in them.
    fn suspect(&mut self, name: &str, value: &str, known: &BTreeMap<String, bool>) {
        if !name.starts_with("CHARTLY_") || value.starts_with("tcp://") {
            return;
        }
        let meant = known.keys().map(|key| variable_of(key)).find(|variable| variable.replace("__", "_") == name);
        if let Some(meant) = meant {
            self.problems.push(Problem::new(format!("{name} is no setting; did you mean {meant}?")));
        }
    }

    fn put_file(&mut self, name: &str, key: &str, path: &str) {
        match secret_in(path) {
            Ok(text) => self.put(name, key, text.into()),
            Err(reason) => self.problems.push(Problem::new(format!("{name} is {path}, which {reason}"))),
        }
    }

    /// A later one wins over an alias; two of the same standing contradict each other.
    fn put(&mut self, name: &str, key: &str, kind: ValueKind) {
        let is_own = |variable: &str| variable.starts_with(PREFIX);
        let before = self.leaves.iter_mut().find(|(other, _)| other == key);
        let Some((_, before)) = before else {
            self.leaves.push((key.to_owned(), Value::new(Some(&name.to_owned()), kind)));
            return;
        };
        let first = before.origin().unwrap_or_default().to_owned();
        let same = before.kind == kind;
        if is_own(&first) == is_own(name) {
            self.problems.push(Problem::new(format!("{first} and {name} both set {key}; keep one of them")));
            return;
        }
        if !same {
            self.notes.push(format!("{first} and {name} disagree about {key}; {name} is used"));
        }
        *before = Value::new(Some(&name.to_owned()), kind);
    }
}

fn list(value: &str) -> ValueKind {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
}

fn secret_in(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}; give a file that this user may read");
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_SECRET_BYTES {
        return Err(format!("is longer than {MAX_SECRET_BYTES} bytes; a secret is one line"));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    match text.trim() {
        "" => Err("is empty; write the secret into it".into()),
        secret => Ok(secret.to_owned()),
    }
}
