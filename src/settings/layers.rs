//! The layers of settings, from the built-in file up to flags: which there are, how they lie over each other, and
//! where each value came from. The only file here that knows the layering crate's builder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::problem::{Problem, SettingsError, did_you_mean, nearest};
use super::yaml::{self, Leaf};
use super::{Settings, variables};

pub(super) const DEFAULTS: &str = include_str!("../../config/default.yaml");
/// The origin of what nobody has set.
pub(super) const BUILT_IN: &str = "built-in";

/// What flags set, as `("http.port", "8095")`: the last layer. A list is written with commas.
pub type Overrides = Vec<(&'static str, String)>;

/// Settings, and what is to be told of how they came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// What works, but is hardly what was meant.
    pub notes: Vec<String>,
    /// For each key where its value came from.
    pub origins: BTreeMap<String, String>,
}

/// Reads all layers. `folder` is where `<CHARTLY_ENV>.yaml` and `projects/<CHARTLY_PROJECT>.yaml` lie.
pub fn load(
    folder: &Path,
    variables: &HashMap<String, String>,
    overrides: Overrides,
) -> Result<Settings, SettingsError> {
    read(folder, variables, overrides).map(|loaded| loaded.settings)
}

/// As `load`, with what there is to tell.
pub fn read(folder: &Path, variables: &HashMap<String, String>, overrides: Overrides) -> Result<Loaded, SettingsError> {
    let mut problems = Vec::new();
    let defaults = yaml::leaves("built-in defaults", DEFAULTS)?;
    let known: BTreeMap<String, bool> =
        defaults.iter().map(|(key, value)| (key.clone(), matches!(value.kind, ValueKind::Array(_)))).collect();

    let mut layers = vec![defaults.iter().map(|(key, value)| built_in(key, value)).collect()];
    for file in overlays(folder, variables, &mut problems) {
        layers.push(known_only(read_overlay(&file, &mut problems), &known, &mut problems));
    }
    let mut environment = variables::read(variables, &known);
    problems.append(&mut environment.problems);
    layers.push(environment.leaves);
    layers.push(overrides.into_iter().map(|(key, value)| flag(key, &value, &known)).collect());

    // Types are checked one value after the other over the defaults, so that all problems are told at once.
    let plain = layers[0].clone();
    for leaf in layers.iter().skip(1).flatten() {
        problems.extend(type_problem(&plain, leaf));
    }
    if !problems.is_empty() {
        return Err(SettingsError { problems });
    }
    assemble(layers, environment.notes)
}

fn assemble(layers: Vec<Vec<Leaf>>, notes: Vec<String>) -> Result<Loaded, SettingsError> {
    let origins: BTreeMap<String, String> = layers
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.origin().unwrap_or(BUILT_IN).to_owned()))
        .collect();
    let mut builder = Config::builder();
    for leaves in layers {
        builder = builder.add_source(Layer(leaves));
    }
    let built: Result<Settings, ConfigError> = builder.build().and_then(Config::try_deserialize);
    let settings = built.map_err(|error| SettingsError::from(Problem::new(expectation(&error))))?;
    let problems: Vec<Problem> = settings.check().into_iter().map(|wrong| wrong.told(&origins)).collect();
    if problems.is_empty() { Ok(Loaded { settings, notes, origins }) } else { Err(SettingsError { problems }) }
}

fn built_in(key: &str, value: &Value) -> Leaf {
    (key.to_owned(), Value::new(Some(&BUILT_IN.to_owned()), value.kind.clone()))
}

/// `node.data_dir` is set by `--data-dir`.
fn flag(key: &str, value: &str, known: &BTreeMap<String, bool>) -> Leaf {
    let name = key.rsplit('.').next().unwrap_or(key).replace('_', "-");
    let kind = if known.get(key) == Some(&true) { list(value) } else { value.into() };
    (key.to_owned(), Value::new(Some(&format!("--{name}")), kind))
}

fn list(text: &str) -> ValueKind {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
}

/// The files that are asked for, the more special one last.
fn overlays(folder: &Path, variables: &HashMap<String, String>, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (variable, place) in [("CHARTLY_ENV", folder.to_owned()), ("CHARTLY_PROJECT", folder.join("projects"))] {
        let Some(name) = variables.get(variable).filter(|name| !name.is_empty()) else { continue };
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_plain {
            problems.push(Problem::new(format!("{variable} is {name:?}; expected a name such as prod")));
            continue;
        }
        let file = place.join(format!("{name}.yaml"));
        if file.is_file() {
            files.push(file);
        } else {
            problems.push(no_such_overlay(variable, name, &place));
        }
    }
    files
}

fn no_such_overlay(variable: &str, name: &str, folder: &Path) -> Problem {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let there: Vec<String> = files
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
        .filter(|stem| stem != "default")
        .collect();
    let mend = did_you_mean(nearest(name, there.iter().map(String::as_str)));
    let file = folder.join(format!("{name}.yaml"));
    Problem::new(format!("{variable} is {name}, and there is no file {}{mend}", file.display()))
}

fn read_overlay(file: &Path, problems: &mut Vec<Problem>) -> Vec<Leaf> {
    let name = file.display().to_string();
    let text = std::fs::read(file).map_err(|error| error.to_string());
    let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()));
    let leaves = text
        .map_err(|reason| Problem::new(format!("the file cannot be read: {reason}")).from(&*name))
        .and_then(|text| yaml::leaves(&name, &text));
    leaves.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    })
}

/// Leaves out what is no setting, or does not belong into a file, and says so.
fn known_only(leaves: Vec<Leaf>, known: &BTreeMap<String, bool>, problems: &mut Vec<Problem>) -> Vec<Leaf> {
    let mut kept = Vec::new();
    for (key, value) in leaves {
        let origin = value.origin().unwrap_or_default().to_owned();
        if variables::SECRETS.contains(&key.as_str()) && value.kind != ValueKind::Nil {
            let variable = variables::variable_of(&key);
            let text = format!("{key} may hold a secret and stands in no file; set {variable} or {variable}_FILE");
            problems.push(Problem::new(text).from(origin));
        } else if known.contains_key(&key) {
            kept.push((key, value));
        } else {
            problems.push(Problem::new(unknown(&key, known)).from(origin));
        }
    }
    kept
}

fn unknown(key: &str, known: &BTreeMap<String, bool>) -> String {
    let section = format!("{key}.");
    if known.keys().any(|known| known.starts_with(&section)) {
        return format!("{key} is a section; expected its settings below it");
    }
    format!("{key} is no setting{}", did_you_mean(nearest(key, known.keys().map(String::as_str))))
}

/// What is wrong with one value by itself.
fn type_problem(defaults: &[Leaf], (key, value): &Leaf) -> Option<Problem> {
    let origin = value.origin().unwrap_or_default();
    if matches!(value.kind, ValueKind::Float(_)) {
        return Some(Problem::new(format!("{key} is {value}; expected a whole number")).from(origin));
    }
    let built =
        Config::builder().add_source(Layer(defaults.to_vec())).add_source(Layer(vec![(key.clone(), value.clone())]));
    let error = built.build().and_then(Config::try_deserialize::<Settings>).err()?;
    let found = match (&value.kind, variables::SECRETS.contains(&key.as_str())) {
        (_, true) => "not usable".to_owned(),
        (ValueKind::Nil, _) => "empty".to_owned(),
        (ValueKind::String(text), _) => format!("{text:?}"),
        _ => value.to_string(),
    };
    Some(Problem::new(format!("{key} is {found}; {}", expectation(&error))).from(origin))
}

fn expectation(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => expectation(error),
        ConfigError::Type { expected, .. } => format!("expected {expected}"),
        ConfigError::Message(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Some values as one source.
#[derive(Debug, Clone)]
struct Layer(Vec<Leaf>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.iter().cloned().collect())
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
