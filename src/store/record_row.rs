//! How a stored record is shown, and whether it has the dims that were asked for. Pure; no JSON tree is built.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::StoreError;
use crate::domain::canonical::write_text;
use crate::domain::digest::Digest;
use crate::protocol::aggregator::RecordRow;

/// The fact that a run saw the record, where a result is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub(super) run_id: &'a str,
    pub(super) drone_id: &'a str,
    pub(super) seen_ms: i64,
}

/// The time during which a version stood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stood {
    pub(super) from_ms: i64,
    /// Absent: it stands now.
    pub(super) until_ms: Option<i64>,
}

/// The row of a record or result; `body` is the canonical text as it is stored.
pub(super) fn compose(
    body: &str,
    profile_id: &str,
    first_seen_ms: i64,
    sighting: Option<Sighting<'_>>,
) -> Result<RecordRow, StoreError> {
    compose_with(body, profile_id, first_seen_ms, |out| {
        if let Some(sighting) = sighting {
            push_text(out, "run_id", sighting.run_id);
            push_text(out, "drone_id", sighting.drone_id);
            push_number(out, "seen_ms", sighting.seen_ms);
        }
    })
}

/// The row of a version.
pub(super) fn compose_version(
    body: &str,
    profile_id: &str,
    first_seen_ms: i64,
    stood: Stood,
) -> Result<RecordRow, StoreError> {
    compose_with(body, profile_id, first_seen_ms, |out| {
        push_number(out, "from_ms", stood.from_ms);
        if let Some(until_ms) = stood.until_ms {
            push_number(out, "until_ms", until_ms);
        }
    })
}

fn compose_with(
    body: &str,
    profile_id: &str,
    first_seen_ms: i64,
    push_facts: impl FnOnce(&mut Vec<u8>),
) -> Result<RecordRow, StoreError> {
    let members = body.strip_prefix('{').ok_or_else(|| broken("it does not begin with {"))?;
    let mut out = Vec::with_capacity(body.len() + 256);
    out.push(b'{');
    push_text(&mut out, "record_id", &Digest::of(body.as_bytes()).to_string());
    push_text(&mut out, "profile_id", profile_id);
    push_facts(&mut out);
    push_number(&mut out, "first_seen_ms", first_seen_ms);
    out.extend_from_slice(members.as_bytes());
    let text = String::from_utf8(out).map_err(|_| broken("it is not UTF-8"))?;
    RawValue::from_string(text).map(RecordRow).map_err(|error| broken(&error.to_string()))
}

fn broken(reason: &str) -> StoreError {
    StoreError::Engine(format!("a stored record is not canonical JSON: {reason}"))
}

fn push_text(out: &mut Vec<u8>, name: &str, value: &str) {
    write_text(out, name);
    out.push(b':');
    write_text(out, value);
    out.push(b',');
}

fn push_number(out: &mut Vec<u8>, name: &str, value: i64) {
    write_text(out, name);
    out.extend_from_slice(format!(":{value},").as_bytes());
}

/// Dims that a record must have.
#[derive(Debug, Clone, Default)]
pub(super) struct WantedDims(Vec<Wanted>);

#[derive(Debug, Clone)]
struct Wanted {
    /// Member names below `dims`.
    path: Vec<String>,
    /// The value as canonical JSON text.
    value: String,
    /// `"last name":value`, which the body of every match contains: most records are dismissed by it alone.
    needle: String,
}

impl WantedDims {
    /// Takes pairs of path (`dims.geo.state`) and value.
    pub(super) fn new(pairs: &[(String, String)]) -> Self {
        Self(pairs.iter().map(|(path, value)| Wanted::new(path, value)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn match_body(&self, body: &str) -> bool {
        self.0.iter().all(|wanted| body.contains(&wanted.needle) && wanted.matches(body))
    }
}

impl Wanted {
    fn new(path: &str, value: &str) -> Self {
        let path: Vec<String> = path.strip_prefix("dims.").unwrap_or(path).split('.').map(str::to_owned).collect();
        let value = json_text(value);
        let name = path.last().map_or_else(String::new, |name| json_text(name));
        Self { needle: format!("{name}:{value}"), path, value }
    }

    fn matches(&self, body: &str) -> bool {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            dims: &'a RawValue,
        }
        let Ok(Body { dims }) = serde_json::from_str(body) else { return false };
        let mut place = dims;
        for name in &self.path {
            let Ok(mut members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(place.get()) else {
                return false;
            };
            let Some(member) = members.remove(name.as_str()) else { return false };
            place = member;
        }
        place.get() == self.value
    }
}

fn json_text(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"dims":{"geo":{"na\"me":"ü\n","state":"06"},"state":"x"},"measures":{"v":1}}"#;

    #[test]
    fn a_row_is_the_body_with_its_facts_in_front() {
        let sighting = Sighting { run_id: "r\"1", drone_id: "d1", seen_ms: 7 };
        let row = compose(BODY, "p", 5, Some(sighting)).unwrap();
        let value: serde_json::Value = serde_json::from_str(row.0.get()).unwrap();
        assert_eq!(value["record_id"], Digest::of(BODY.as_bytes()).to_string());
        assert_eq!((value["run_id"].as_str(), value["drone_id"].as_str()), (Some("r\"1"), Some("d1")));
        assert_eq!((value["seen_ms"].as_i64(), value["first_seen_ms"].as_i64()), (Some(7), Some(5)));
        assert_eq!(value["dims"]["geo"]["state"], "06");
        assert!(compose("[]", "p", 5, None).is_err());
    }

    #[test]
    fn dims_match_by_path_and_not_by_looks() {
        let matches = |path: &str, value: &str| WantedDims::new(&[(path.into(), value.into())]).match_body(BODY);
        assert!(matches("dims.geo.state", "06"));
        assert!(matches("dims.state", "x"));
        assert!(matches("dims.geo.na\"me", "ü\n"));
        assert!(!matches("dims.state", "06"), "the same name elsewhere");
        assert!(!matches("dims.geo", "06"));
        assert!(!matches("dims.geo.state.deeper", "06"));
        assert!(!matches("", ""));
    }
}
