//! What a record observes: the dims that its profile names as key. Two records of one observation are versions of it.
//! The key's digest links them; the record's own digest tells them apart. Knows no profile document, only paths.

use sha2::{Digest as _, Sha256};

use super::canonical::{member_order, write_text};
use super::ids::ProfileId;

/// The dims that identify an observation of one profile, ready to be found in canonical records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationKey {
    profile: String,
    /// Paths below `dims`, in the order of canonical members.
    paths: Vec<String>,
}

impl ObservationKey {
    /// `dims` are paths such as `dims.geo.fips`. `None` where there are none: then every record stands for itself.
    pub fn new(profile: &ProfileId, dims: &[String]) -> Option<Self> {
        let bare = |path: &String| path.strip_prefix("dims.").unwrap_or(path).to_owned();
        let mut paths: Vec<String> = dims.iter().map(bare).collect();
        paths.sort_by(|left, right| member_order(left, right));
        paths.dedup();
        (!paths.is_empty()).then(|| Self { profile: profile.as_str().to_owned(), paths })
    }

    /// Paths below `dims`.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The observation that a canonical record is a version of: the first 16 bytes of the SHA-256 over the canonical
    /// JSON of the key's dims and the profile's id. `None` where the record lacks a dim of the key.
    pub fn of_record(&self, record: &[u8]) -> Option<[u8; 16]> {
        let mut values: Vec<Option<&[u8]>> = vec![None; self.paths.len()];
        Dims::of_record(record).visit(&mut |path, value| {
            if let Some(place) = self.paths.iter().position(|wanted| wanted == path) {
                values[place] = Some(value);
            }
        });
        self.digest(&values.into_iter().collect::<Option<Vec<_>>>()?)
    }

    /// The observation with these values, one for each path.
    pub fn of_values(&self, values: &[&str]) -> Option<[u8; 16]> {
        let written: Vec<Vec<u8>> = values.iter().map(|value| json_text(value)).collect();
        self.digest(&written.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// `values` are JSON texts.
    fn digest(&self, values: &[&[u8]]) -> Option<[u8; 16]> {
        if values.len() != self.paths.len() {
            return None;
        }
        let mut text = Vec::with_capacity(128);
        text.extend_from_slice(b"{\"dims\":{");
        for (index, (path, value)) in self.paths.iter().zip(values).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            write_text(&mut text, path);
            text.push(b':');
            text.extend_from_slice(value);
        }
        text.extend_from_slice(b"},\"profile_id\":");
        write_text(&mut text, &self.profile);
        text.push(b'}');
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(&text)[..16]);
        Some(key)
    }
}

fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    out
}

/// Walks the dims of a canonical record, which are nested objects of texts without any white space.
struct Dims<'a> {
    text: &'a [u8],
    at: usize,
    /// Where it stands, as a path.
    path: String,
}

impl<'a> Dims<'a> {
    fn of_record(text: &'a [u8]) -> Self {
        Self { text, at: "{\"dims\":".len(), path: String::with_capacity(64) }
    }

    /// Hands each text's path and JSON text to `on_text`. Ends early on what is not canonical.
    fn visit(&mut self, on_text: &mut impl FnMut(&str, &'a [u8])) -> Option<()> {
        self.take(b'{')?;
        if self.text.get(self.at) == Some(&b'}') {
            return self.take(b'}');
        }
        let above = self.path.len();
        loop {
            let name = self.string()?;
            self.enter(name)?;
            self.take(b':')?;
            match self.text.get(self.at)? {
                b'{' => self.visit(on_text)?,
                _ => {
                    let value = self.string()?;
                    on_text(&self.path, value);
                }
            }
            self.path.truncate(above);
            match self.text.get(self.at)? {
                b',' => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// A JSON string, its quotes included.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return self.text.get(start..self.at);
            }
        }
    }

    /// Goes into a member, whose name is given as a JSON string.
    fn enter(&mut self, name: &[u8]) -> Option<()> {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        if name.contains(&b'\\') {
            self.path.push_str(&serde_json::from_slice::<String>(name).ok()?);
        } else {
            self.path.push_str(std::str::from_utf8(name.get(1..name.len() - 1)?).ok()?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Records;
    use super::super::record::push_record;
    use super::*;
    use proptest::prelude::*;

    fn key(dims: &[&str]) -> ObservationKey {
        let dims: Vec<String> = dims.iter().map(|dim| (*dim).to_owned()).collect();
        ObservationKey::new(&ProfileId::parse("p").unwrap(), &dims).unwrap()
    }

    fn canonical(record: &serde_json::Value) -> Vec<u8> {
        let mut records = Records::default();
        push_record(&mut records, &record.to_string()).unwrap();
        records.text(0).to_vec()
    }

    #[test]
    fn it_is_the_digest_of_dims_and_profile() {
        let record =
            canonical(&serde_json::json!({"dims": {"time": {"year": "2022"}, "geo": {"fips": "06"}, "x": "y"},
            "measures": {"v": 1}}));
        let found = key(&["dims.time.year", "dims.geo.fips"]).of_record(&record).unwrap();
        let text = r#"{"dims":{"geo.fips":"06","time.year":"2022"},"profile_id":"p"}"#;
        assert_eq!(found, Sha256::digest(text.as_bytes())[..16]);
        assert_eq!(key(&["dims.geo.fips", "dims.time.year"]).of_values(&["06", "2022"]), Some(found));
    }

    #[test]
    fn without_a_dim_there_is_no_observation() {
        let record = canonical(&serde_json::json!({"dims": {"geo": {"fips": "06"}}, "measures": {"v": 1}}));
        assert_eq!(key(&["dims.geo"]).of_record(&record), None);
        assert_eq!(key(&["dims.geo.fips", "dims.at"]).of_record(&record), None);
        assert_eq!(key(&["dims.geo.fips"]).of_record(b"{\"dims\":{\"geo\":{\"fips\":\"06"), None);
        assert_eq!(ObservationKey::new(&ProfileId::parse("p").unwrap(), &[]), None);
    }

    proptest! {
        #[test]
        fn measures_and_other_dims_do_not_matter(
            a in any::<String>(), b in any::<String>(), c in any::<String>(), v in 1_i32..9, w in 1_i32..9,
        ) {
            let wanted = key(&["dims.s.a", "dims.b"]);
            let first = canonical(&serde_json::json!({"dims": {"b": b, "s": {"a": a, "o": c}}, "measures": {"v": v}}));
            let other = canonical(&serde_json::json!({"dims": {"b": b, "s": {"a": a}}, "measures": {"w": {"v": w}}}));
            prop_assert_eq!(wanted.of_record(&first), wanted.of_record(&other));
            prop_assert_eq!(wanted.of_record(&first), wanted.of_values(&[&b, &a]));
            let changed = canonical(&serde_json::json!({"dims": {"b": format!("{b}!"), "s": {"a": a}}, "measures": {"v": v}}));
            prop_assert_ne!(wanted.of_record(&first), wanted.of_record(&changed));
        }
    }
}
