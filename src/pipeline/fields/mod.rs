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
use crate::profiles::plan::{Content, Field, Mapping, Member, Rule, Slot};

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
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Identity {
    /// Hash of the dims of the key; `None` where the profile has no key.
    pub key: Option<u128>,
    /// The measure by which the largest counts.
    pub measure: Option<f64>,
}

/// The condition that a row does not meet.
pub fn unmet(mapping: &Mapping, cells: &[Cell<'_>]) -> Option<usize> {
    let met = |rule: &Rule| rule.any.iter().any(|condition| holds(condition, cells));
    mapping.conditions.iter().position(|rule| !met(rule))
}

/// Appends the row's record to `out`. The error says why there is none; `out` is then to be cut back. `measure` is the
/// field whose value the caller wants to know.
pub fn write_record(
    mapping: &Mapping,
    row: Row<'_>,
    measure: Option<u16>,
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Result<Identity, Drop> {
    let start = out.len();
    let mut writer = Writer { fields: &mapping.record.fields, row, tally, measure, identity: Identity::default() };
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
    Ok(writer.identity)
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
    measure: Option<u16>,
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
                if field.in_key {
                    self.identity.key = Some(chained(self.identity.key, &out[start..]));
                }
                if self.measure == Some(index) {
                    self.identity.measure = std::str::from_utf8(&out[start..]).ok().and_then(|text| text.parse().ok());
                }
                Ok(true)
            }
            Written::Missing if field.in_key => Err(Drop::WithoutKey(field.name.clone())),
            Written::Missing => Ok(false),
            Written::Unread(unread) if dims => Err(Drop::Dim(unread)),
            Written::Unread(unread) => {
                self.tally.unread(&unread);
                Ok(false)
            }
        }
    }
}
