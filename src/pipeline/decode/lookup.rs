//! Tables inside an answer, by which values of its rows are looked up.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Room, beside, select};
use crate::pipeline::json::{Cell, Walker};
use crate::pipeline::page::{PageError, unwalkable};
use crate::profiles::plan::Lookup;

/// Entries of all tables of an answer together.
const MAX_ENTRIES: usize = 1_000_000;

/// One table for each lookup of the plan.
#[derive(Debug, Default)]
pub struct Tables(Vec<HashMap<Box<str>, Box<str>>>);

impl Tables {
    /// Reads the tables. One that is not there is empty.
    pub fn read(text: &str, lookups: &[Lookup], room: Room) -> Result<Self, PageError> {
        let mut left = MAX_ENTRIES;
        lookups.iter().map(|lookup| table(text, lookup, &mut left, room)).collect::<Result<_, _>>().map(Self)
    }

    pub fn get(&self, table: u16, key: &str) -> Option<&str> {
        self.0.get(usize::from(table))?.get(key).map(|value| &**value)
    }
}

fn table(text: &str, lookup: &Lookup, left: &mut usize, room: Room) -> Result<HashMap<Box<str>, Box<str>>, PageError> {
    let text = match &lookup.select {
        Some(step) => Cow::Owned(beside(text, &select::rows(text, std::slice::from_ref(step), room)?)),
        None => Cow::Borrowed(text),
    };
    let mut entries = HashMap::new();
    let mut cells = vec![Cell::Absent; lookup.places.slots];
    let mut walker = Walker::new(&text, &lookup.places);
    while walker.next_row(&mut cells).map_err(|error| unwalkable(&text, error))? {
        let parts: Option<Vec<_>> = lookup.keys.iter().map(|slot| cells[usize::from(*slot)].text()).collect();
        let value = cells[usize::from(lookup.value)].text();
        let (Some(parts), Some(value)) = (parts, value) else { continue };
        if *left == 0 {
            let message = format!("the tables of lookups have more than {MAX_ENTRIES} entries");
            return Err(PageError::Failed(message));
        }
        *left -= 1;
        entries.entry(parts.join("|").into()).or_insert_with(|| value.into());
    }
    Ok(entries)
}
