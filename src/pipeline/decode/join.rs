//! Several lists of `[key, value]`, joined on the key in the order in which keys first appear.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::Room;
use super::select::{self, tree};
use crate::pipeline::json::{Cell, Walker};
use crate::pipeline::page::{PageError, unwalkable};
use crate::profiles::plan::{JoinPairs, ListPlace};

/// The joined rows, `[key, value of the first list, …]`.
pub fn rows(text: &str, plan: &JoinPairs, room: Room) -> Result<String, PageError> {
    let mut cells = vec![Cell::Absent; plan.places.slots];
    let mut walker = Walker::new(text, &plan.places);
    while walker.next_row(&mut cells).map_err(|error| unwalkable(text, error))? {}
    let selected = |(_, place): &(String, ListPlace)| match place {
        ListPlace::Selected(selector) => select::list(text, selector, room),
        ListPlace::Slot(_) => Ok(String::new()),
    };
    let selected: Vec<String> = plan.lists.iter().map(selected).collect::<Result<_, _>>()?;
    let mut order: Vec<(&str, Vec<Option<&str>>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, (name, list)) in plan.lists.iter().enumerate() {
        let cell = match list {
            ListPlace::Slot(slot) => cells[usize::from(*slot)],
            ListPlace::Selected(_) => Cell::Tree(&selected[index]),
        };
        let pairs = match cell {
            Cell::Absent | Cell::Null => continue,
            Cell::Tree(pairs) if pairs.starts_with('[') => pairs,
            _ => return Err(PageError::Failed(format!("{name} is not a list of pairs"))),
        };
        let pairs: Vec<Vec<&RawValue>> = tree(pairs)?;
        for pair in pairs {
            let [Some(key), Some(value)] = [pair.get(plan.on), pair.get(plan.value)] else {
                return Err(PageError::Failed(format!("an element of {name} has {} values", pair.len())));
            };
            let place = *known.entry(key.get()).or_insert_with(|| {
                order.push((key.get(), vec![None; plan.lists.len()]));
                order.len() - 1
            });
            order[place].1[index] = Some(value.get());
        }
    }
    write(&order, room)
}

fn write(order: &[(&str, Vec<Option<&str>>)], room: Room) -> Result<String, PageError> {
    let mut out = String::from("[");
    for (index, (key, values)) in order.iter().enumerate() {
        out.push_str(if index > 0 { ",[" } else { "[" });
        out.push_str(key);
        for value in values {
            out.push(',');
            out.push_str(value.unwrap_or("null"));
        }
        out.push(']');
        room.check(out.len())?;
    }
    out.push(']');
    Ok(out)
}
