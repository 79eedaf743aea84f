//! From one answer of a source to the profile that it suggests, with the doubts as comments. Guesses by shape and
//! by name; what it proposes is always a valid profile. Knows no network.

mod ask;
mod columns;
mod composed;
mod cube;
mod dims;
mod form;
mod key;
mod lines;
mod missing;
mod openapi;
mod paging;
mod shape;
mod sheet;
mod span;
mod times;
mod wide;
mod write;

use serde_json::Value;
use thiserror::Error;

pub use openapi::propose_from_openapi;

use super::load;
use form::Form;
use shape::Shape;

/// The longest answer that is looked at.
const MAX_BYTES: usize = 16 << 20;

/// What is known of the answer.
#[derive(Debug, Clone, Default)]
pub struct Seen<'s> {
    /// The address that was asked; made up where only an answer is at hand.
    pub url: &'s str,
    /// The answer, unpacked; of XML its tree as JSON.
    pub body: &'s str,
    pub is_xml: bool,
    pub packing: Packing,
    /// The answer's `Link` header names a next page.
    pub has_next_link: bool,
    /// The profile's id; made of the address where it is not given.
    pub id: Option<&'s str>,
}

/// What packs an answer, beyond what HTTP does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Packing {
    #[default]
    Nothing,
    Gzip,
    /// A zip, and the file in it that is read.
    Zip(String),
}

/// Why nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    #[error("the answer has {0} bytes; at most {MAX_BYTES} are looked at")]
    TooLarge(usize),
    #[error("the answer is {0}; nothing can be proposed for it")]
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
    let (form, document) = form::read(seen)?;
    propose_for(seen, &form, &document)
}

fn propose_for(seen: &Seen<'_>, form: &Form, document: &Value) -> Result<String, ProposeError> {
    let is_xml = *form == Form::Xml;
    let shape = match form {
        Form::Lines(_) => Shape::Table(Vec::new()),
        _ => shape::find(document, is_xml).ok_or(ProposeError::NoRows)?,
    };
    let (mut fields, rows) = match &shape {
        Shape::Cube(cube) => (cube::fields(cube), 0),
        _ => {
            let sheet = sheet::Sheet::of(document, &shape, is_xml);
            (columns::judge(document, &sheet), sheet.rows)
        }
    };
    let bare = fields.clone();
    let asked = ask::Asked::of(seen, document, &shape, rows, &mut fields);
    let text = write::profile(seen, form, &shape, &fields, &asked);
    if load(&text).is_ok() {
        return Ok(text);
    }
    // What is guessed from the address is the part that may not fit together: without it the profile is plain.
    let plain = write::profile(seen, form, &shape, &bare, &ask::Asked::default());
    match load(&plain) {
        Ok(_) => Ok(plain),
        Err(problems) => Err(ProposeError::Own(format!("{problems}\n{plain}"))),
    }
}

#[cfg(test)]
mod tests;
