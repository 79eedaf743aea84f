//! Rows that a JSONPath with filters selects (RFC 9535): only a whole tree can answer it.

use serde_json::Value;

use super::too_large;
use crate::pipeline::page::PageError;
use crate::profiles::plan::Selector;

/// What the path selects, as an array.
pub fn rows(text: &str, selector: &Selector) -> Result<String, PageError> {
    let document: Value = tree(text)?;
    let mut out = b"[".to_vec();
    for node in selector.path.query(&document) {
        if out.len() > 1 {
            out.push(b',');
        }
        serde_json::to_writer(&mut out, node).map_err(|error| PageError::Failed(error.to_string()))?;
        if out.len() > super::MAX_PREPARED_BYTES {
            return Err(too_large());
        }
    }
    out.push(b']');
    String::from_utf8(out).map_err(|error| PageError::Failed(error.to_string()))
}

/// A JSON text as serde reads it, with the place of what is wrong.
pub fn tree<'t, T: serde::Deserialize<'t>>(text: &'t str) -> Result<T, PageError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            PageError::Failed(format!("the answer is not of the expected form: {error}"))
        }
        _ => PageError::Broken(format!("the answer is not JSON: {error}")),
    })
}
