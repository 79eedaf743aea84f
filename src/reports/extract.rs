//! Reads the wanted dims and measures out of one record's canonical text, and skips the rest: no tree is built
//! and, once the buffers have grown, nothing is allocated.

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::grain::Grain;
use super::path::{self, Half};

/// Which members to read, as a tree of their names.
#[derive(Debug, Default)]
pub(super) struct Plan {
    root: Node,
    dims: usize,
    measures: usize,
}

#[derive(Debug, Default)]
struct Node {
    name: Box<str>,
    slots: Vec<Slot>,
    members: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Dim(usize),
    /// A dim that is read out of a finer grain of time, where the record has no member of its own for it.
    CoarserTime(usize, Grain),
    Measure(usize),
}

/// What was found in one record, in the order in which it was planned. Used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Found {
    text: Vec<u8>,
    dims: Vec<Option<Range<usize>>>,
    measures: Vec<Option<f64>>,
}

impl Plan {
    /// Plans the paths of a checked spec; one that does not parse is never found.
    pub(super) fn new<'p>(dims: impl Iterator<Item = &'p str>, measures: impl Iterator<Item = &'p str>) -> Self {
        let mut plan = Self::default();
        for dim in dims {
            plan.add_dim(dim);
        }
        for measure in measures {
            plan.root.add(measure, Half::Measures, Slot::Measure(plan.measures));
            plan.measures += 1;
        }
        plan
    }

    fn add_dim(&mut self, dim: &str) {
        self.root.add(dim, Half::Dims, Slot::Dim(self.dims));
        if let Some(grain) = Grain::of_path(dim) {
            for finer in grain.finer() {
                self.root.add(finer, Half::Dims, Slot::CoarserTime(self.dims, grain));
            }
        }
        self.dims += 1;
    }

    /// Reads `record` into `found`.
    pub(super) fn read(&self, record: &str, found: &mut Found) -> Result<(), serde_json::Error> {
        found.reset(self.dims, self.measures);
        let mut reader = serde_json::Deserializer::from_str(record);
        NodeSeed { node: &self.root, found }.deserialize(&mut reader)?;
        reader.end()
    }
}

impl Node {
    fn add(&mut self, path: &str, half: Half, slot: Slot) {
        let Ok(names) = path::parse(path, half) else { return };
        names.into_iter().fold(self, Self::member).slots.push(slot);
    }

    fn member(&mut self, name: &str) -> &mut Self {
        let index = self.members.iter().position(|member| &*member.name == name).unwrap_or_else(|| {
            self.members.push(Self { name: name.into(), ..Self::default() });
            self.members.len() - 1
        });
        &mut self.members[index]
    }
}

impl Found {
    fn reset(&mut self, dims: usize, measures: usize) {
        self.text.clear();
        self.dims.clear();
        self.dims.resize(dims, None);
        self.measures.clear();
        self.measures.resize(measures, None);
    }

    /// The text of each dim, `None` where the record lacks it.
    pub(super) fn dims(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.dims.iter().map(|range| range.clone().map(|range| &self.text[range]))
    }

    /// The number of each measure, `None` where the record lacks it.
    pub(super) fn measures(&self) -> &[Option<f64>] {
        &self.measures
    }

    fn keep_text(&mut self, slots: &[Slot], text: &str) {
        for slot in slots {
            match slot {
                Slot::Dim(index) => self.keep_dim(*index, text),
                Slot::CoarserTime(index, grain) if self.dims[*index].is_none() => {
                    let coarser = grain.cut(text);
                    coarser.into_iter().for_each(|time| self.keep_dim(*index, &time));
                }
                Slot::CoarserTime(..) | Slot::Measure(_) => {}
            }
        }
    }

    fn keep_dim(&mut self, index: usize, text: &str) {
        let start = self.text.len();
        self.text.extend_from_slice(text.as_bytes());
        self.dims[index] = Some(start..self.text.len());
    }

    fn keep_number(&mut self, slots: &[Slot], number: f64) {
        for slot in slots {
            if let Slot::Measure(index) = slot {
                self.measures[*index] = Some(number);
            }
        }
    }
}

struct NodeSeed<'p> {
    node: &'p Node,
    found: &'p mut Found,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_key_seed(MemberOf(self.node))? {
            match member {
                Some(node) => map.next_value_seed(NodeSeed { node, found: self.found })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.found.keep_text(&self.node.slots, text);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.found.keep_number(&self.node.slots, number);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "measures are IEEE doubles, printed without a fraction where whole")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "measures are IEEE doubles, printed without a fraction where whole")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    // Records hold none of these; one that does was not made here, and simply lacks the member.
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Finds the planned member that a name stands for.
struct MemberOf<'p>(&'p Node);

impl<'de, 'p> DeserializeSeed<'de> for MemberOf<'p> {
    type Value = Option<&'p Node>;
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for MemberOf<'p> {
    type Value = Option<&'p Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.members.iter().find(|member| &*member.name == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str) -> (Vec<Option<String>>, Vec<Option<f64>>) {
        let dims = ["dims.time.year", "dims.geo.state", "dims.geo"];
        let plan = Plan::new(dims.into_iter(), ["measures.p.total", "measures.q"].into_iter());
        let mut found = Found::default();
        plan.read(record, &mut found).unwrap();
        let text = |text: Option<&[u8]>| text.map(|text| String::from_utf8(text.to_vec()).unwrap());
        (found.dims().map(text).collect(), found.measures().to_vec())
    }

    #[test]
    fn wanted_members_are_found_in_planned_order() {
        let record = r#"{"dims":{"geo":{"name":"x","state":"0\"6"},"time":{"year":"2020"}},"measures":{"p":{"a":1,"total":-2},"q":1e-7}}"#;
        let (dims, measures) = read(record);
        assert_eq!(dims, [Some("2020".into()), Some("0\"6".into()), None]);
        assert_eq!(measures, [Some(-2.0), Some(1e-7)]);
    }

    #[test]
    fn a_member_of_another_form_is_lacking() {
        let record = r#"{"dims":{"geo":"flat","time":{"year":{"x":"y"}}},"measures":{"p":5,"q":"6"}}"#;
        assert_eq!(read(record), (vec![None, None, Some("flat".into())], vec![None, None]));
        assert_eq!(read(r#"{"measures":{"q":[1,null,true]}}"#).1, [None, None]);
    }

    #[test]
    fn a_coarser_time_is_read_out_of_a_finer_one_unless_the_record_has_its_own() {
        let times = |record: &str| {
            let plan = Plan::new(["dims.time.year", "dims.time.month"].into_iter(), std::iter::empty());
            let mut found = Found::default();
            plan.read(record, &mut found).unwrap();
            found.dims().map(|text| String::from_utf8_lossy(text.unwrap_or(b"-")).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(times(r#"{"dims":{"time":{"date":"2024-01-31"}}}"#), ["2024", "2024-01"]);
        assert_eq!(times(r#"{"dims":{"time":{"month":"2024-01"}}}"#), ["2024", "2024-01"]);
        assert_eq!(
            times(r#"{"dims":{"time":{"date":"2024-01-31","year":"fiscal 2023"}}}"#),
            ["fiscal 2023", "2024-01"]
        );
        assert_eq!(times(r#"{"dims":{"time":{"year":"2024"}}}"#), ["2024", "-"]);
        assert_eq!(times(r#"{"dims":{"time":{"date":"soon"}}}"#), ["-", "-"]);
    }

    #[test]
    fn text_that_is_no_json_is_an_error() {
        let plan = Plan::new(["dims.a"].into_iter(), std::iter::empty());
        for broken in ["", "{", r#"{"dims":{}}x"#] {
            assert!(plan.read(broken, &mut Found::default()).is_err(), "{broken:?} was accepted");
        }
    }
}
