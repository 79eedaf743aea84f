//! What is done to a field's value, in the order in which its author wrote it.

use super::condition::pattern;
use super::field::slot;
use super::notes::Notes;
use super::scope::Scope;
use crate::profiles::document::fields::{Extract, FieldDoc, Otherwise, Unit, UnitDoc};
use crate::profiles::nearest::nearest;
use crate::profiles::node::{At, Entries, Place, list};
use crate::profiles::plan::{Lookup, Map, NumberStep, Scalar, Step};
use crate::profiles::units;

/// A step and where it stands.
type Placed<T> = (Place, T);

fn in_order<T>(mut placed: Vec<Placed<T>>) -> Vec<T> {
    placed.sort_by_key(|(place, _)| (place.line, place.column));
    placed.into_iter().map(|(_, step)| step).collect()
}

/// The steps on text.
pub fn texts(doc: &FieldDoc, place: Place, lookups: &[Lookup], notes: &mut Notes) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut flag = |said: &Option<At<bool>>, step: Step| {
        if let Some(At { value: true, place: stands }) = said {
            steps.push((*stands, step));
        }
    };
    flag(&doc.trim, Step::Trim);
    flag(&doc.first, Step::First);
    flag(&doc.last, Step::Last);
    flag(&doc.count, Step::Count);
    flag(&doc.upper, Step::Upper);
    flag(&doc.lower, Step::Lower);
    steps.extend(doc.split.as_ref().and_then(|text| split(text, notes)));
    steps.extend(doc.join.as_ref().map(|text| (text.place, Step::Join(text.value.as_str().into()))));
    steps.extend(doc.replace.as_ref().map_or_else(Vec::new, |replace| self::replace(replace, notes)));
    steps.extend(doc.extract.as_ref().and_then(|extract| self::extract(extract, notes)));
    steps.extend(doc.map.as_ref().map(|map| (map.place, Step::Map(self::map(map, doc.otherwise)))));
    steps.extend(doc.lookup.as_ref().and_then(|name| lookup(name, doc.otherwise, lookups, notes)));
    let width = |width: u64| usize::try_from(width).unwrap_or(200);
    steps.extend(doc.pad.as_ref().map(|pad| (pad.place, Step::Pad(width(pad.value.width), pad.value.fill))));
    if doc.map.is_none() && doc.lookup.is_none() && doc.otherwise.is_some() {
        notes.add(place, "else needs map or lookup");
    }
    in_order(steps)
}

fn split(text: &At<String>, notes: &mut Notes) -> Option<Placed<Step>> {
    if text.value.is_empty() {
        notes.add(text.place, "split needs a separator, such as \",\"");
        return None;
    }
    Some((text.place, Step::Split(text.value.as_str().into())))
}

fn replace(replace: &At<Entries<At<String>>>, notes: &mut Notes) -> Vec<Placed<Step>> {
    let mut steps = Vec::new();
    for (expression, with) in &replace.value.0 {
        let built = notes.keep(expression.place, pattern(&expression.value));
        steps.extend(built.map(|built| (expression.place, Step::Replace(Box::new(built), with.value.as_str().into()))));
    }
    steps
}

fn extract(extract: &At<Extract>, notes: &mut Notes) -> Option<Placed<Step>> {
    let built = notes.keep(extract.place, pattern(&extract.value.expression))?;
    let groups = built.captures_len() - 1;
    let group = extract.value.group.unwrap_or(groups.min(1));
    if group > groups {
        notes.add(extract.place, format!("the expression has {groups} groups, not {group}"));
    }
    Some((extract.place, Step::Extract(Box::new(built), group)))
}

fn map(map: &At<Entries<At<Scalar>>>, otherwise: Option<Otherwise>) -> Map {
    let entry = |(from, to): &(At<String>, At<Scalar>)| {
        let to = (to.value != Scalar::Null).then(|| to.value.text().into());
        (from.value.as_str().into(), to)
    };
    let mut entries: Vec<(Box<str>, Option<Box<str>>)> = map.value.0.iter().map(entry).collect();
    entries.sort();
    Map { entries, otherwise: otherwise.unwrap_or(Otherwise::Keep) }
}

fn lookup(
    name: &At<String>,
    otherwise: Option<Otherwise>,
    lookups: &[Lookup],
    notes: &mut Notes,
) -> Option<Placed<Step>> {
    let index = lookups.iter().position(|lookup| lookup.name == name.value);
    let Some(index) = index.and_then(|index| u16::try_from(index).ok()) else {
        let names: Vec<&str> = lookups.iter().map(|lookup| lookup.name.as_str()).collect();
        let hint = match (nearest(&name.value, &names), names.as_slice()) {
            (Some(near), _) => format!("did you mean {near:?}?"),
            (None, []) => "the profile declares no lookups".to_owned(),
            (None, names) => format!("lookups are {}", list(names)),
        };
        notes.add_with_hint(name.place, format!("there is no lookup {:?}", name.value), hint);
        return None;
    };
    Some((name.place, Step::Lookup(index, otherwise.unwrap_or(Otherwise::Missing))))
}

/// The steps on numbers.
pub fn numbers(doc: &FieldDoc, scope: &mut Scope<'_>, notes: &mut Notes) -> Vec<NumberStep> {
    let mut steps = Vec::new();
    steps.extend(doc.multiply.as_ref().map(|factor| (factor.place, NumberStep::Multiply(factor.value.0))));
    let mut by = |path: &Option<At<String>>, step: fn(u16) -> NumberStep| {
        let slot = path.as_ref().and_then(|path| slot(path, scope, notes).map(|slot| (path.place, slot)));
        steps.extend(slot.map(|(place, slot)| (place, step(slot))));
    };
    by(&doc.multiply_by, NumberStep::MultiplyBy);
    by(&doc.power10, NumberStep::Power10);
    if let Some(At { value: Unit::Convert(unit), place }) = &doc.unit {
        steps.extend(convert(unit, *place, scope, notes).map(|step| (*place, step)));
    }
    in_order(steps)
}

fn convert(doc: &UnitDoc, place: Place, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<NumberStep> {
    if doc.is.is_some() || doc.told_by.is_some() {
        return check(doc, place, scope, notes);
    }
    let Some(to) = &doc.to else {
        notes.add(place, "a conversion needs to, the unit of the measure");
        return None;
    };
    let mut find =
        |name: &At<String>| notes.keep(name.place, units::find(&name.value).ok_or_else(|| units::unknown(&name.value)));
    let target = find(to)?;
    match (&doc.from, &doc.by) {
        (Some(from), None) => {
            let source = find(from)?;
            let conversion = units::conversion(source, target);
            let problem = || format!("{:?} and {:?} do not measure the same", from.value, to.value);
            notes.keep(from.place, conversion.ok_or_else(problem)).map(NumberStep::Convert)
        }
        (None, Some(by)) => slot(by, scope, notes).map(|slot| NumberStep::ConvertBy(slot, target)),
        _ => {
            notes.add(place, "a conversion has either from or by");
            None
        }
    }
}

/// The unit that the answer must name.
fn check(doc: &UnitDoc, place: Place, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<NumberStep> {
    match (&doc.is, &doc.told_by, doc.from.as_ref().or(doc.by.as_ref()).or(doc.to.as_ref())) {
        (Some(is), Some(told_by), None) => {
            let slot = slot(told_by, scope, notes)?;
            Some(NumberStep::Check(slot, is.value.as_str().into()))
        }
        (_, _, Some(other)) => {
            notes.add(other.place, "a unit is either checked (is and told_by) or converted (from or by, and to)");
            None
        }
        _ => {
            notes.add(place, "a unit that is checked needs both is and told_by");
            None
        }
    }
}

/// Dims are text: what makes numbers has no place there.
pub fn refuse_numbers(doc: &FieldDoc, place: Place, notes: &mut Notes) {
    let converts = matches!(&doc.unit, Some(At { value: Unit::Convert(_), .. }));
    let set = [
        (doc.multiply.is_some(), "multiply"),
        (doc.multiply_by.is_some(), "multiply_by"),
        (doc.power10.is_some(), "power10"),
        (doc.decimal.is_some(), "decimal"),
        (converts, "unit"),
    ];
    for (_, key) in set.iter().filter(|(set, _)| *set) {
        notes.add(place, format!("{key} makes a number; dims are text"));
    }
}
