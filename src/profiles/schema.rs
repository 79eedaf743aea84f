//! The JSON Schema of a profile, for editors: made from the types, so that it cannot drift.

use super::document::Document;

/// The schema as JSON text.
pub fn json_schema() -> String {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<Document>();
    serde_json::to_string_pretty(&schema).expect("a schema holds only JSON values")
}
