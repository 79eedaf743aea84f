//! The profile language: from a YAML text to an immutable plan, or to all problems with their places. Knows
//! neither network nor clock; what a plan does is the pipeline's.

mod answers;
mod compile;
pub mod diff;
mod document;
mod duration;
mod jsonpath;
mod long_form;
pub mod nearest;
mod node;
mod own_test;
mod packed;
mod path;
pub mod plan;
mod problem;
pub mod propose;
mod reference;
mod scalar;
mod schema;
mod template;
pub mod time;
pub mod timetable;
pub mod units;
mod write_yaml;
mod yaml;

use std::sync::Arc;

pub use duration::age_ms;
pub use long_form::explain;
pub use own_test::{Expected, ProfileTest, TestAnswer};
pub use packed::Packed;
pub use path::{Origin, Path, Segment};
pub use problem::{MAX_PROBLEMS, Problem, Problems};
pub use reference::reference;
pub use schema::json_schema;
pub use yaml::MAX_TEXT_BYTES;

use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::domain::needs::Needs;
use crate::domain::retention::Retention;
use plan::{Found, KeepAnswers, Limits, Mapping, MappingPlan, Plan, Timing};

/// A profile that is without problems. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Profile {
    head: Arc<Head>,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Head {
    id: ProfileId,
    name: String,
    version: String,
    description: String,
    digest: Digest,
    timing: Timing,
    key: Vec<String>,
    fields: Vec<String>,
    test: Option<ProfileTest>,
    keep: Option<KeepAnswers>,
    needs: Needs,
    /// The whole text, held only where answers are kept: it is kept with them.
    text: Option<Box<str>>,
    retention: Retention,
}

/// Reads, checks and compiles a profile. All problems of the text are told at once, unless it is not YAML.
pub fn load(text: &str) -> Result<Profile, Problems> {
    let mut node = yaml::parse(text).map_err(|problem| Problems::new(text, vec![*problem]))?;
    answers::expand(&mut node);
    let mut problems = Vec::new();
    let document = document::read(&node, &mut problems);
    let compiled = compile::compile(document, &mut problems);
    match (compiled.id.clone(), problems.is_empty()) {
        (Some(id), true) => {
            let head = head(id, text, &compiled);
            let plan = compiled.plan.expect("a profile without problems has a plan");
            Ok(Profile { head: Arc::new(head), plan: Arc::new(plan) })
        }
        _ => Err(Problems::new(text, problems)),
    }
}

fn head(id: ProfileId, text: &str, compiled: &compile::Compiled) -> Head {
    let document = &compiled.document;
    let names = |half: &str, entries: Option<&node::Entries<node::At<document::fields::Field>>>| {
        let full = |name: &str| {
            let bare = name.strip_prefix(half).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
            format!("{half}.{bare}")
        };
        entries.iter().flat_map(|entries| &entries.0).map(|(name, _)| full(&name.value)).collect::<Vec<_>>()
    };
    let mut fields = names("dims", document.dims.as_ref());
    fields.extend(names("measures", document.measures.as_ref()));
    let key = |name: &node::At<String>| match name.value.strip_prefix("dims.") {
        Some(_) => name.value.clone(),
        None => format!("dims.{}", name.value),
    };
    Head {
        name: document.name.clone().unwrap_or_else(|| id.as_str().to_owned()),
        id,
        version: compiled.version.clone(),
        description: document.description.clone().unwrap_or_default(),
        digest: Digest::of(text.as_bytes()),
        timing: compiled.timing.clone(),
        key: document.key.iter().flatten().map(key).collect(),
        fields,
        test: compiled.test.clone(),
        keep: compiled.keep,
        needs: compiled.needs.clone(),
        text: compiled.keep.map(|_| text.into()),
        retention: compiled.retention,
    }
}

impl Profile {
    pub fn id(&self) -> &ProfileId {
        &self.head.id
    }

    /// The name that people read; the id where none is given.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    pub fn version(&self) -> &str {
        &self.head.version
    }

    pub fn description(&self) -> &str {
        &self.head.description
    }

    /// Digest of the profile's text: names this version by what it says.
    pub fn digest(&self) -> &Digest {
        &self.head.digest
    }

    /// False: no drone runs it.
    pub fn enabled(&self) -> bool {
        self.head.timing.enabled
    }

    /// When it runs by itself.
    pub fn timing(&self) -> &Timing {
        &self.head.timing
    }

    pub fn limits(&self) -> &Limits {
        &self.plan.limits
    }

    /// Dims that identify an observation, such as `dims.geo.fips`. Empty: every record stands for itself.
    pub fn key(&self) -> &[String] {
        &self.head.key
    }

    /// Paths of all dims and measures, such as `dims.geo.name`, in the order of the profile.
    pub fn fields(&self) -> &[String] {
        &self.head.fields
    }

    /// Host of the source, as the profile writes it.
    pub fn host(&self) -> &str {
        match self.plan.request.url.parts.first() {
            Some(plan::Part::Text(text)) => host_of(text),
            _ => "",
        }
    }

    /// Its own test, as far as its text has one.
    pub fn test(&self) -> Option<&ProfileTest> {
        self.head.test.as_ref()
    }

    /// The bounds of the answers that a drone keeps; `None`: it keeps none.
    pub fn keep_answers(&self) -> Option<KeepAnswers> {
        self.head.keep
    }

    /// What the store may let go.
    pub fn retention(&self) -> &Retention {
        &self.head.retention
    }

    /// The text as its author wrote it, of a profile whose answers are kept.
    pub fn kept_text(&self) -> Option<&str> {
        self.head.text.as_deref()
    }

    /// What a drone must offer to run it.
    pub fn needs(&self) -> &Needs {
        &self.head.needs
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The mapping, for rows that an answer showed.
    pub fn mapping_for(&self, found: &Found) -> Result<Arc<Mapping>, String> {
        match &self.plan.mapping {
            MappingPlan::Ready(mapping) => Ok(Arc::clone(mapping)),
            MappingPlan::ByShape(document) => compile::mapping_for(document, &self.plan.params, found).map(Arc::new),
        }
    }

    /// Paths by which the rows of an answer are looked for, where the profile does not say where they are.
    pub fn open_paths(&self) -> Vec<Vec<Segment>> {
        match &self.plan.mapping {
            MappingPlan::Ready(_) => Vec::new(),
            MappingPlan::ByShape(document) => compile::open_paths(document, &self.plan.params),
        }
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

#[cfg(test)]
mod tests;
