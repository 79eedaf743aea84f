//! One record as it arrives from outside: checked, put into canonical form, hashed. Dims are nested objects of
//! text, measures nested objects of finite numbers; anything else is refused with the place and the mend.
//! Builds no JSON tree of values: a small member list per object, since members must be sorted.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::batch::Records;
use super::canonical::{member_order, write_number, write_text};
use super::digest::Digest;

/// Objects inside `dims` or `measures` may nest this deep.
pub const MAX_DEPTH: usize = 8;
/// The longest member name, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// The most members of one record, all levels together.
pub const MAX_MEMBERS: usize = 1_000;

/// Reads one record's JSON `text`, appends it in canonical form and returns its digest. A claimed `record_id`
/// is checked, never trusted. The error says what is wrong, where, and what was expected.
pub fn push_record(records: &mut Records, text: &str) -> Result<Digest, String> {
    keep(records, &parse(text)?)
}

/// A JSON list of records that are all good, read in one pass. An error says only that at least one is not: then each
/// is to be read by itself, with [`push_record`].
#[derive(Debug, Default)]
pub struct AllGood(pub Records);

impl<'de> Deserialize<'de> for AllGood {
    fn deserialize<D: de::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_seq(AllGoodVisitor)
    }
}

struct AllGoodVisitor;

impl<'de> Visitor<'de> for AllGoodVisitor {
    type Value = AllGood;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut records = Records::default();
        while let Some(record) = list.next_element_seed(RecordSeed)? {
            keep(&mut records, &record).map_err(de::Error::custom)?;
        }
        Ok(AllGood(records))
    }
}

/// Writes a record that was read.
fn keep(records: &mut Records, record: &Record<'_>) -> Result<Digest, String> {
    if record.measures.is_empty() {
        return Err("measures is empty or absent; a record needs at least one measure".into());
    }
    let digest = records.push_with(|out| {
        write_record(out, record);
        Ok::<(), String>(())
    })?;
    match &record.claimed {
        Some(claimed) if **claimed != digest.to_string() => {
            records.pop();
            Err(format!("record_id is {claimed}, but the record's content gives {digest}; leave record_id out"))
        }
        _ => Ok(digest),
    }
}

struct Record<'a> {
    dims: Members<'a>,
    measures: Members<'a>,
    claimed: Option<Cow<'a, str>>,
}

type Members<'a> = Vec<(Cow<'a, str>, Leaf<'a>)>;

enum Leaf<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Object(Members<'a>),
}

fn parse(text: &str) -> Result<Record<'_>, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let record = RecordSeed.deserialize(&mut reader).map_err(|error| plain(&error))?;
    reader.end().map_err(|error| plain(&error))?;
    Ok(record)
}

/// serde_json adds "at line 1 column 7", which means nothing inside one record of a batch.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn write_record(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b"{\"dims\":");
    write_members(out, &record.dims);
    out.extend_from_slice(b",\"measures\":");
    write_members(out, &record.measures);
    out.push(b'}');
}

fn write_members(out: &mut Vec<u8>, members: &Members<'_>) {
    out.push(b'{');
    for (index, (name, leaf)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, name);
        out.push(b':');
        match leaf {
            Leaf::Text(text) => write_text(out, text),
            Leaf::Number(number) => write_number(out, *number),
            Leaf::Object(inner) => write_members(out, inner),
        }
    }
    out.push(b'}');
}

struct RecordSeed;

impl<'de> DeserializeSeed<'de> for RecordSeed {
    type Value = Record<'de>;
    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record {\"dims\":{…},\"measures\":{…}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut dims, mut measures, mut claimed) = (None, None, None);
        let mut budget = MAX_MEMBERS;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let twice = || de::Error::custom(format_args!("member {name:?} occurs twice"));
            match &*name {
                "dims" if dims.is_some() => return Err(twice()),
                "measures" if measures.is_some() => return Err(twice()),
                "dims" => dims = Some(map.next_value_seed(MembersSeed::top("dims", Wanted::Text, &mut budget))?),
                "measures" => {
                    measures = Some(map.next_value_seed(MembersSeed::top("measures", Wanted::Number, &mut budget))?);
                }
                "record_id" => claimed = Some(map.next_value_seed(NameSeed)?),
                other => {
                    let message =
                        format!("unknown member {other:?}; a record has dims, measures and, if need be, record_id");
                    return Err(de::Error::custom(message));
                }
            }
        }
        Ok(Record { dims: dims.unwrap_or_default(), measures: measures.unwrap_or_default(), claimed })
    }
}

/// A member name, borrowed where the text has no escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Text,
    Number,
}

struct MembersSeed<'b> {
    place: String,
    wanted: Wanted,
    depth: usize,
    budget: &'b mut usize,
}

impl<'b> MembersSeed<'b> {
    fn top(place: &str, wanted: Wanted, budget: &'b mut usize) -> Self {
        Self { place: place.to_owned(), wanted, depth: 0, budget }
    }
}

impl<'de> DeserializeSeed<'de> for MembersSeed<'_> {
    type Value = Members<'de>;
    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersSeed<'_> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to be an object", self.place)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::with_capacity(4);
        while let Some(name) = map.next_key_seed(NameSeed)? {
            check_name(&name, &self.place)?;
            *self.budget = self
                .budget
                .checked_sub(1)
                .ok_or_else(|| de::Error::custom(format_args!("more than {MAX_MEMBERS} members in one record")))?;
            let seed = LeafSeed {
                parent: &self.place,
                name: &name,
                wanted: self.wanted,
                depth: self.depth,
                budget: self.budget,
            };
            let leaf = map.next_value_seed(seed)?;
            members.push((name, leaf));
        }
        sort(&mut members, &self.place)?;
        Ok(members)
    }
}

fn check_name<E: de::Error>(name: &str, place: &str) -> Result<(), E> {
    if name.is_empty() {
        return Err(E::custom(format_args!("{place} has a member with an empty name")));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(E::custom(format_args!(
            "{place} has a member name of {} bytes; at most {MAX_NAME_BYTES}",
            name.len()
        )));
    }
    Ok(())
}

fn sort<E: de::Error>(members: &mut Members<'_>, place: &str) -> Result<(), E> {
    let sorted = members.windows(2).all(|pair| member_order(&pair[0].0, &pair[1].0).is_lt());
    if sorted {
        return Ok(());
    }
    members.sort_by(|left, right| member_order(&left.0, &right.0));
    match members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(E::custom(format_args!("{place}.{} occurs twice", pair[0].0))),
        None => Ok(()),
    }
}

struct LeafSeed<'b> {
    parent: &'b str,
    name: &'b str,
    wanted: Wanted,
    depth: usize,
    budget: &'b mut usize,
}

impl LeafSeed<'_> {
    fn place(&self) -> String {
        format!("{}.{}", self.parent, self.name)
    }

    fn number<'de, E: de::Error>(&self, number: f64) -> Result<Leaf<'de>, E> {
        if self.wanted == Wanted::Text {
            return Err(E::custom(format_args!(
                "{} is the number {number}; dims are text, write it in quotes",
                self.place()
            )));
        }
        Ok(Leaf::Number(number))
    }

    fn refuse<E: de::Error>(&self, found: &str) -> E {
        let wanted = match self.wanted {
            Wanted::Text => "text",
            Wanted::Number => "a finite number; leave a missing measure out",
        };
        E::custom(format_args!("{} is {found}; expected {wanted}", self.place()))
    }

    fn text<E: de::Error>(&self, text: &str) -> Result<(), E> {
        if self.wanted == Wanted::Text {
            return Ok(());
        }
        let shown: String = text.chars().take(40).collect();
        Err(E::custom(format_args!("{} is the text {shown:?}; measures are finite numbers", self.place())))
    }
}

impl<'de> DeserializeSeed<'de> for LeafSeed<'_> {
    type Value = Leaf<'de>;
    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LeafSeed<'_> {
    type Value = Leaf<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or an object")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.text(text)?;
        Ok(Leaf::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.text(text)?;
        Ok(Leaf::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        self.number(number)
    }

    #[expect(clippy::cast_precision_loss, reason = "RFC 8785 numbers are IEEE doubles")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.number(number as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "RFC 8785 numbers are IEEE doubles")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.number(number as f64)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Err(self.refuse(if value { "true" } else { "false" }))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Err(self.refuse("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.refuse("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(de::Error::custom(format_args!("{} is nested deeper than {MAX_DEPTH} levels", self.place())));
        }
        let seed = MembersSeed { place: self.place(), wanted: self.wanted, depth, budget: self.budget };
        Ok(Leaf::Object(seed.visit_map(map)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Result<String, String> {
        let mut records = Records::default();
        push_record(&mut records, text)?;
        Ok(String::from_utf8(records.text(0).to_vec()).unwrap())
    }

    #[test]
    fn members_are_sorted_and_numbers_normalised() {
        let text = r#"{"measures":{"b":1.0,"a":{"y":1e2}},"dims":{"time":{"year":"2020"},"geo":{"b":"x","a":"ü"}}}"#;
        let expected = r#"{"dims":{"geo":{"a":"ü","b":"x"},"time":{"year":"2020"}},"measures":{"a":{"y":100},"b":1}}"#;
        assert_eq!(canonical(text).unwrap(), expected);
        assert_eq!(canonical(expected).unwrap(), expected);
    }

    #[test]
    fn each_fault_says_place_and_mend() {
        for (text, said) in [
            (
                r#"{"dims":{"y":2020},"measures":{"v":1}}"#,
                "dims.y is the number 2020; dims are text, write it in quotes",
            ),
            (
                r#"{"dims":{},"measures":{"a":{"v":"1"}}}"#,
                "measures.a.v is the text \"1\"; measures are finite numbers",
            ),
            (
                r#"{"dims":{},"measures":{"v":null}}"#,
                "measures.v is null; expected a finite number; leave a missing measure out",
            ),
            (r#"{"dims":{"a":[1]},"measures":{"v":1}}"#, "dims.a is an array; expected text"),
            (r#"{"dims":{},"measures":{}}"#, "measures is empty or absent; a record needs at least one measure"),
            (
                r#"{"dims":{},"measures":{"v":1},"note":1}"#,
                "unknown member \"note\"; a record has dims, measures and, if need be, record_id",
            ),
            (r#"{"dims":{"a":"1","a":"2"},"measures":{"v":1}}"#, "dims.a occurs twice"),
            (r#"{"dims":{},"dims":{},"measures":{"v":1}}"#, "member \"dims\" occurs twice"),
            (r#"{"dims":{},"measures":{"v":1e999}}"#, "number out of range"),
            (r#"[1]"#, "invalid type: sequence, expected a record {\"dims\":{…},\"measures\":{…}}"),
        ] {
            assert_eq!(canonical(text).unwrap_err(), said, "{text}");
        }
    }

    #[test]
    fn depth_and_member_count_are_bounded() {
        let deep = format!(r#"{{"dims":{}"x"{},"measures":{{"v":1}}}}"#, r#"{"a":"#.repeat(50), "}".repeat(50));
        assert!(canonical(&deep).unwrap_err().contains("nested deeper than 8 levels"));
        let many: Vec<String> = (0..1_001).map(|n| format!("\"k{n}\":\"v\"")).collect();
        let wide = format!(r#"{{"dims":{{{}}},"measures":{{"v":1}}}}"#, many.join(","));
        assert!(canonical(&wide).unwrap_err().contains("more than 1000 members"));
    }

    #[test]
    fn numbers_are_read_to_their_last_digit() {
        for (text, digits) in [
            ("1.0320000000000001e-36", "1.0320000000000001e-36"),
            ("3.9333333333000003e+46", "3.9333333333000003e+46"),
            ("1.032e-36", "1.032e-36"),
        ] {
            let record = canonical(&format!(r#"{{"dims":{{}},"measures":{{"v":{text}}}}}"#)).unwrap();
            assert_eq!(record, format!(r#"{{"dims":{{}},"measures":{{"v":{digits}}}}}"#));
        }
        // The tests' own dependencies turn the exact reading on for themselves; the programs need it too.
        let manifest = include_str!("../../Cargo.toml");
        let asked = manifest.lines().find(|line| line.starts_with("serde_json = ")).unwrap();
        assert!(asked.contains("float_roundtrip"), "{asked}");
    }

    #[test]
    fn a_claimed_id_is_checked() {
        let text = r#"{"dims":{},"measures":{"v":1}}"#;
        let mut records = Records::default();
        let id = push_record(&mut records, text).unwrap();
        let right = format!(r#"{{"record_id":"{id}","dims":{{}},"measures":{{"v":1}}}}"#);
        assert_eq!(push_record(&mut records, &right), Ok(id));
        let wrong = r#"{"record_id":"sha256:00","dims":{},"measures":{"v":1}}"#;
        assert!(push_record(&mut records, wrong).unwrap_err().contains("leave record_id out"));
        assert_eq!(records.len(), 2);
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference(dims in proptest::collection::btree_map(".{1,12}", ".{0,12}", 0..5),
                                     measures in proptest::collection::btree_map(".{1,12}", -1e15..1e15f64, 1..5)) {
            let value = serde_json::json!({"measures": measures, "dims": dims});
            prop_assert_eq!(canonical(&value.to_string()).unwrap(), serde_jcs::to_string(&value).unwrap());
        }
    }
}
