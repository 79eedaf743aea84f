//! From one answer of a source to the profile that it suggests, with the doubts as comments. Guesses by shape and
//! by name; what it proposes is always a valid profile. Knows no network.

mod columns;
mod dims;
mod openapi;
mod paging;
mod shape;
mod sheet;
mod times;
mod write;

use serde_json::Value;
use thiserror::Error;

pub use openapi::propose_from_openapi;

use super::load;

/// The longest answer that is looked at.
const MAX_BYTES: usize = 16 << 20;

/// What is known of the answer.
#[derive(Debug, Clone, Default)]
pub struct Seen<'s> {
    /// The address that was asked; made up where only an answer is at hand.
    pub url: &'s str,
    pub body: &'s str,
    /// The answer's `Link` header names a next page.
    pub has_next_link: bool,
    /// The profile's id; made of the address where it is not given.
    pub id: Option<&'s str>,
}

/// Why nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    #[error("the answer has {0} bytes; at most {MAX_BYTES} are looked at")]
    TooLarge(usize),
    #[error("the answer is {0}, which is not looked at yet; write the profile by hand (docs/profiles/tutorial.md)")]
    Unknown(String),
    #[error("no rows were found in the answer: neither a list of objects, nor a table, nor parallel arrays, nor a map")]
    NoRows,
    #[error("the OpenAPI document cannot be used: {0}")]
    OpenApi(String),
    #[error("the proposal is not a profile; this is a fault of Chartly's:\n{0}")]
    Own(String),
}

/// Proposes a profile.
pub fn propose(seen: &Seen<'_>) -> Result<String, ProposeError> {
    if seen.body.len() > MAX_BYTES {
        return Err(ProposeError::TooLarge(seen.body.len()));
    }
    let document: Value = serde_json::from_str(seen.body.trim_start_matches('\u{feff}')).map_err(|error| {
        let text = seen.body.trim_start();
        ProposeError::Unknown(match text.chars().next() {
            None => "empty".to_owned(),
            Some('<') if text.get(..200).unwrap_or(text).to_lowercase().contains("<html") => "a web page".to_owned(),
            Some('<') => "XML".to_owned(),
            Some('{' | '[') => format!("broken JSON ({error})"),
            _ => "no JSON".to_owned(),
        })
    })?;
    if document["dimension"].is_object() && document["size"].is_array() {
        return Err(ProposeError::Unknown("a JSON-stat cube".into()));
    }
    propose_for(seen, &document)
}

fn propose_for(seen: &Seen<'_>, document: &Value) -> Result<String, ProposeError> {
    let shape = shape::find(document).ok_or(ProposeError::NoRows)?;
    let sheet = sheet::Sheet::of(document, &shape);
    let fields = columns::judge(document, &sheet);
    let paging = paging::guess(seen, document, &shape);
    let text = write::profile(seen, &shape, &fields, paging.as_ref());
    match load(&text) {
        Ok(_) => Ok(text),
        Err(problems) => Err(ProposeError::Own(format!("{problems}\n{text}"))),
    }
}

#[cfg(test)]
mod tests;
