//! From a row's cells to a record in canonical form, written straight into the batch.

pub mod condition;
mod number;
mod tally;
mod value;

#[cfg(test)]
pub use number::read as read_number;
pub use tally::{Drop, Tally};
use value::Written;

use super::json::Cell;
use crate::profiles::plan::{Content, Field, Mapping, Member};

/// The longest record, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 10;

/// Appends the row's record to `out`. The error says why there is none; `out` is then to be cut back.
pub fn write_record(mapping: &Mapping, cells: &[Cell<'_>], out: &mut Vec<u8>, tally: &mut Tally) -> Result<(), Drop> {
    if let Some(index) = mapping.conditions.iter().position(|condition| !condition::holds(condition, cells)) {
        return Err(Drop::Filtered(index));
    }
    let start = out.len();
    let mut writer = Writer { fields: &mapping.record.fields, cells, tally };
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
    Ok(())
}

struct Writer<'w> {
    fields: &'w [Field],
    cells: &'w [Cell<'w>],
    tally: &'w mut Tally,
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
        match value::write(field, self.cells, out) {
            Written::Yes => Ok(true),
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
