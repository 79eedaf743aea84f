//! The shape of a run: which names its rows had, how often each field of the profile had a value, and of which JSON type.
//! Counted in passing, bounded, and kept with the run so that the next one can be compared with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rejects::cut;

/// Names that are told apart.
pub const MAX_NAMES: usize = 200;
/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Fields of a shape; a profile has no more.
const MAX_FIELDS: usize = 500;

/// A JSON type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    Null,
    Boolean,
    Number,
    Text,
    /// An object or an array.
    Tree,
}

impl JsonType {
    pub const ALL: [Self; 5] = [Self::Null, Self::Boolean, Self::Number, Self::Text, Self::Tree];

    pub fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text => "text",
            Self::Tree => "object or array",
        }
    }
}

/// One field of the profile, over all rows that met the conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldShape {
    /// Such as `measures.value`.
    pub name: String,
    /// Rows with a value.
    #[serde(default)]
    pub present: u64,
    /// Rows without one.
    #[serde(default)]
    pub missing: u64,
    /// Rows with one that could not be read.
    #[serde(default)]
    pub unread: u64,
    /// Types of its source, as the looked at rows had them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<JsonType>,
}

impl FieldShape {
    pub fn rows(&self) -> u64 {
        self.present + self.missing + self.unread
    }

    /// Types but null.
    pub fn value_types(&self) -> impl Iterator<Item = JsonType> {
        self.types.iter().copied().filter(|kind| *kind != JsonType::Null)
    }
}

/// The shape of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunShape {
    /// Rows seen in the answers.
    pub rows: u64,
    /// Rows whose names were looked at: the first of each page.
    #[serde(default)]
    pub looked_at: u64,
    /// Members that the looked at rows had, and in how many of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, u64>,
    #[serde(default)]
    pub fields: Vec<FieldShape>,
}

impl RunShape {
    pub fn field(&self, name: &str) -> Option<&FieldShape> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The same within its bounds, for what came from outside.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let short = |(name, rows): (String, u64)| (cut(&name, MAX_NAME_CHARS).to_owned(), rows);
        self.names = self.names.into_iter().take(MAX_NAMES).map(short).collect();
        self.fields.truncate(MAX_FIELDS);
        for field in &mut self.fields {
            field.name = cut(&field.name, 2 * MAX_NAME_CHARS).to_owned();
            field.types.sort_unstable();
            field.types.dedup();
        }
        self
    }
}
