//! From a row's cells to a record in canonical form, written straight into the batch.

mod condition;
mod number;
mod steps;
mod tally;
mod value;

pub use condition::{holds, meets, tells_something};
#[cfg(test)]
pub use number::read as read_number;
pub use tally::{Drop, Tally};
use value::Written;
pub use value::cell_text;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::decode::Tables;
use super::json::Cell;
use super::sketch::Fared;
use crate::profiles::plan::{Content, Field, Mapping, Member, Rank, Rule, Slot};

/// The longest record, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 10;

/// What a row's fields are made of.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    pub cells: &'r [Cell<'r>],
    pub tables: &'r Tables,
}

impl<'r> Row<'r> {
    pub fn cell(self, slot: Slot) -> Cell<'r> {
        self.cells[usize::from(slot)]
    }
}

/// What a record is told apart by from others of the run.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Identity {
    /// Hash of the dims of the key; `None` where the profile has no key.
    pub key: Option<u128>,
    /// The value by which the largest counts.
    pub rank: Option<Ranked>,
}

/// A value that records are ranked by. Texts are larger than numbers.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Ranked {
    Number(f64),
    Text(Box<str>),
}

impl Ranked {
    fn of(text: &str) -> Self {
        // Of two instants of one second, the one with milliseconds is the later.
        let bare = text.strip_suffix('Z').unwrap_or(text);
        match bare.parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::Text(bare.into()),
        }
    }
}

/// The condition that a row does not meet.
pub fn unmet(mapping: &Mapping, cells: &[Cell<'_>]) -> Option<usize> {
    let met = |rule: &Rule| rule.any.iter().any(|condition| holds(condition, cells));
    mapping.conditions.iter().position(|rule| !met(rule))
}

/// Appends the row's record to `out`. The error says why there is none; `out` is then to be cut back.
pub fn write_record(mapping: &Mapping, row: Row<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Result<Identity, Drop> {
    let start = out.len();
    let ranked = match mapping.rank {
        Some(Rank::Field(index)) => Some(index),
        _ => None,
    };
    let mut writer = Writer { fields: &mapping.record.fields, row, tally, ranked, identity: Identity::default() };
    out.extend_from_slice(b"{\"dims\":");
    writer.object(&mapping.record.dims, true, out)?;
    out.extend_from_slice(b",\"measures\":");
    if writer.object(&mapping.record.measures, false, out)? == 0 {
        return Err(Drop::WithoutMeasure);
    }
    out.push(b'}');
    if out.len() - start > MAX_RECORD_BYTES {
        return Err(Drop::TooLarge);
    }
    let mut identity = writer.identity;
    if let Some(Rank::Slot(slot)) = mapping.rank {
        identity.rank = cell_text(row.cell(slot)).map(|text| Ranked::of(&text));
    }
    Ok(identity)
}

/// The hash of a key to which one more dim is added.
fn chained(before: Option<u128>, dim: &[u8]) -> u128 {
    let before = before.unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let seed = (before as u64) ^ ((before >> 64) as u64);
    xxh3_128_with_seed(dim, seed)
}

struct Writer<'w> {
    fields: &'w [Field],
    row: Row<'w>,
    tally: &'w mut Tally,
    /// The field that records are ranked by.
    ranked: Option<u16>,
    identity: Identity,
}

impl Writer<'_> {
    /// Writes the members that have a value; gives their number.
    fn object(&mut self, members: &[Member], dims: bool, out: &mut Vec<u8>) -> Result<usize, Drop> {
        out.push(b'{');
        let mut count = 0;
        for member in members {
            let start = out.len();
            if count > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&member.prefix);
            let there = match &member.content {
                Content::Object(inner) => self.object(inner, dims, out)? > 0,
                Content::Field(index) => self.field(*index, dims, out)?,
            };
            if there {
                count += 1;
            } else {
                out.truncate(start);
            }
        }
        out.push(b'}');
        Ok(count)
    }

    /// Writes one value; `false` where there is none. An unreadable measure is left out, an unreadable dim would
    /// make another record of it.
    fn field(&mut self, index: u16, dims: bool, out: &mut Vec<u8>) -> Result<bool, Drop> {
        let field = &self.fields[usize::from(index)];
        let start = out.len();
        match value::write(field, self.row, out, self.tally) {
            Written::Yes => {
                self.tally.sketch().count(index, Fared::Present);
                if field.in_key {
                    self.identity.key = Some(chained(self.identity.key, &out[start..]));
                }
                if self.ranked == Some(index) {
                    let text = std::str::from_utf8(&out[start..]).unwrap_or_default();
                    self.identity.rank = Some(Ranked::of(text.trim_matches('"')));
                }
                Ok(true)
            }
            Written::Missing => {
                self.tally.sketch().count(index, Fared::Missing);
                if field.in_key { Err(Drop::WithoutKey(field.name.clone())) } else { Ok(false) }
            }
            Written::Unread(unread) => {
                self.tally.sketch().count(index, Fared::Unread);
                if dims {
                    return Err(Drop::Dim(unread));
                }
                self.tally.unread(&unread);
                Ok(false)
            }
            Written::OtherUnit(unread) => Err(Drop::OtherUnit(unread)),
        }
    }
}
