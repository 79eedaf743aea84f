//! The JSON Schema of a profile, for editors: made from the types, so that it cannot drift.

use super::document::Document;

/// The schema as JSON text.
pub fn json_schema() -> String {
    serde_json::to_string_pretty(&schema()).expect("a schema holds only JSON values")
}

pub fn schema() -> serde_json::Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Document>().to_value()
}
