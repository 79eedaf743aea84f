//! What two versions of a profile make of the same answers: which observations are the same, new, changed or gone.
//! Pure.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

use crate::domain::batch::Records;
use crate::domain::digest::Digest;

/// Observations of one version that are compared.
const MAX_OBSERVATIONS: usize = 5_000_000;

/// Too many to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("more than {MAX_OBSERVATIONS} observations; they are not compared")]
pub struct TooMany;

/// What one version gave: the last record of each observation. With a key, records of one key are one observation;
/// without, every record stands for itself.
#[derive(Debug, Default)]
pub struct Harvest {
    key: Vec<String>,
    last: HashMap<[u8; 16], [u8; 16]>,
}

/// How two harvests differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    pub same: u64,
    pub new: u64,
    pub changed: u64,
    pub gone: u64,
}

impl Harvest {
    /// `key`: dims such as `dims.geo.fips`.
    pub fn new(key: &[String]) -> Self {
        Self { key: key.to_vec(), last: HashMap::new() }
    }

    pub fn take(&mut self, records: &Records) -> Result<(), TooMany> {
        for (digest, text) in records.iter() {
            let observation = if self.key.is_empty() { digest.key() } else { self.observation(text) };
            self.last.insert(observation, digest.key());
        }
        if self.last.len() > MAX_OBSERVATIONS { Err(TooMany) } else { Ok(()) }
    }

    fn observation(&self, text: &[u8]) -> [u8; 16] {
        let record: Value = serde_json::from_slice(text).unwrap_or_default();
        let values = self.key.iter().map(|path| {
            let pointer = path.split('.').map(|name| name.replace('~', "~0").replace('/', "~1"));
            record.pointer(&pointer.fold(String::new(), |so_far, name| so_far + "/" + &name))
        });
        Digest::of(&serde_json::to_vec(&values.collect::<Vec<_>>()).unwrap_or_default()).key()
    }

    /// This harvest against an `earlier` one.
    pub fn against(&self, earlier: &Self) -> Difference {
        let mut difference = Difference::default();
        for (observation, record) in &self.last {
            match earlier.last.get(observation) {
                None => difference.new += 1,
                Some(old) if old == record => difference.same += 1,
                Some(_) => difference.changed += 1,
            }
        }
        difference.gone = earlier.last.keys().filter(|old| !self.last.contains_key(*old)).count() as u64;
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harvest(key: &[&str], records: &[(&str, u32)]) -> Harvest {
        let mut harvest = Harvest::new(&key.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut batch = Records::default();
        for (place, value) in records {
            let text = format!("{{\"dims\":{{\"geo\":{{\"name\":\"{place}\"}}}},\"measures\":{{\"v\":{value}}}}}");
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(text.as_bytes());
                Ok::<(), ()>(())
            };
            batch.push_with(write).unwrap();
        }
        harvest.take(&batch).unwrap();
        harvest
    }

    #[test]
    fn a_key_tells_a_changed_observation_from_a_new_one() {
        let (old, new) = ([("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("b", 2), ("d", 1)]);
        let keyed = harvest(&["dims.geo.name"], &new).against(&harvest(&["dims.geo.name"], &old));
        assert_eq!(keyed, Difference { same: 1, new: 1, changed: 1, gone: 1 });
        let bare = harvest(&[], &new).against(&harvest(&[], &old));
        assert_eq!(bare, Difference { same: 1, new: 2, changed: 0, gone: 2 });
    }

    #[test]
    fn the_last_record_of_an_observation_counts() {
        let key = ["dims.geo.name"];
        let twice = harvest(&key, &[("a", 1), ("a", 2)]);
        assert_eq!(twice.against(&harvest(&key, &[("a", 2)])), Difference { same: 1, ..Difference::default() });
    }
}
