//! The dims that tell the rows of an answer apart.

use std::collections::{BTreeMap, HashSet};

use super::columns::{Fields, Kind, Proposed};
use super::composed::{Composed, Texts};
use super::dims::is_code;

/// A key has at most so many dims, and is looked for among so many.
const MAX_DIMS: usize = 6;
const MAX_CANDIDATES: usize = 14;
/// All sets up to this size are tried.
const MAX_TRIED: usize = 3;

/// A dim with a number for each text: equal numbers, equal texts.
struct Candidate<'f> {
    dim: &'f Proposed,
    codes: Vec<u32>,
    /// The smaller, the rather it belongs into a key.
    rank: usize,
    distinct: usize,
}

/// Sets `fields.key` to the smallest set of dims that is unique over the rows. Names and codes that are the same in
/// every row seen are put to it, for other answers may hold others.
pub fn choose(texts: &Texts<'_, '_>, composed: Option<&Composed>, all_rows: usize, fields: &mut Fields) {
    let mut by_from: BTreeMap<&str, &Vec<Option<String>>> =
        texts.iter().map(|(column, values)| (column.from.as_str(), values)).collect();
    by_from.extend(composed.map(|composed| (composed.from.as_str(), &composed.texts)));
    let kept: Vec<usize> = match composed {
        Some(composed) => (0..all_rows).filter(|row| composed.texts.get(*row).is_some_and(Option::is_some)).collect(),
        None => (0..all_rows).collect(),
    };
    let mut candidates: Vec<Candidate<'_>> =
        fields.dims.iter().filter_map(|dim| candidate(dim, by_from.get(dim.from.as_str())?, &kept)).collect();
    candidates.sort_by_key(|candidate| candidate.rank);
    candidates.truncate(MAX_CANDIDATES);
    let varying: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| candidate.distinct > 1).collect();
    let rows = kept.len();
    let own = varying.iter().copied().find(|candidate| is_own(candidate.dim) && is_unique(&[*candidate], rows));
    if let Some(own) = own {
        fields.key = vec![own.dim.name.clone()];
        return;
    }
    // A few rows differ in many dims by chance; their time and the keys of maps are what they are for.
    let (base, rest): (Vec<&Candidate<'_>>, Vec<&Candidate<'_>>) =
        varying.into_iter().partition(|candidate| candidate.rank == 0);
    let Some(mut chosen) = smallest(&base, &rest, rows).or_else(|| grown(base, &rest, rows)) else { return };
    let codes = candidates.iter().any(|candidate| is_code(&candidate.dim.name));
    let same = candidates.iter().filter(|candidate| candidate.distinct == 1 && is_name(candidate.dim, codes));
    chosen.extend(same.take(MAX_DIMS.saturating_sub(chosen.len())));
    let key: Vec<String> = chosen.iter().map(|candidate| candidate.dim.name.clone()).collect();
    fields.key = key;
}

/// The dim is the row's own identity.
fn is_own(dim: &Proposed) -> bool {
    let name = dim.name.rsplit('.').next().unwrap_or("");
    matches!(name, "id" | "uuid" | "guid" | "key") || (name.ends_with("_id") && !dim.name.starts_with("geo."))
}

/// The dim names what a row is about; a code rather than a name.
fn is_name(dim: &Proposed, has_codes: bool) -> bool {
    is_code(&dim.name) || (!has_codes && (dim.name.starts_with("geo.") || dim.name.ends_with("name")))
}

fn candidate<'f>(dim: &'f Proposed, texts: &[Option<String>], kept: &[usize]) -> Option<Candidate<'f>> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut codes = Vec::with_capacity(kept.len());
    for row in kept {
        // A row without a part of its key gives no record.
        let text = texts.get(*row)?.as_deref().filter(|text| !text.is_empty())?;
        let next = u32::try_from(known.len()).ok()?;
        codes.push(*known.entry(text).or_insert(next));
    }
    let rank = match &dim.kind {
        Kind::Time { .. } if dim.name != "time.start" => 0,
        _ if dim.from.ends_with(".key") => 0,
        _ if is_own(dim) => 1,
        _ if is_code(&dim.name) => 2,
        _ if dim.name.starts_with("geo.") || dim.name.ends_with("name") => 3,
        _ => 4,
    };
    Some(Candidate { dim, codes, rank, distinct: known.len() })
}

fn is_unique(chosen: &[&Candidate<'_>], rows: usize) -> bool {
    distinct(chosen, rows) == rows
}

fn distinct(chosen: &[&Candidate<'_>], rows: usize) -> usize {
    let cell = |row: usize| chosen.iter().map(|candidate| candidate.codes[row]).collect::<Vec<u32>>();
    (0..rows).map(cell).collect::<HashSet<_>>().len()
}

/// `base` and the fewest of the rest that make it unique; better ranks come first.
fn smallest<'c, 'f>(
    base: &[&'c Candidate<'f>],
    rest: &[&'c Candidate<'f>],
    rows: usize,
) -> Option<Vec<&'c Candidate<'f>>> {
    if rows == 0 {
        return None;
    }
    (0..=MAX_TRIED).find_map(|size| {
        let mut sets = sets(rest, size);
        sets.sort_by_key(|set| set.iter().map(|candidate| candidate.rank).sum::<usize>());
        let with_base = |set: Vec<&'c Candidate<'f>>| base.iter().copied().chain(set).collect::<Vec<_>>();
        sets.into_iter().map(with_base).find(|set| !set.is_empty() && is_unique(set, rows))
    })
}

fn sets<'c, 'f>(candidates: &[&'c Candidate<'f>], size: usize) -> Vec<Vec<&'c Candidate<'f>>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let with = |(at, first): (usize, &&'c Candidate<'f>)| {
        let rest = sets(&candidates[at + 1..], size - 1);
        let first = *first;
        rest.into_iter().map(move |set| std::iter::once(first).chain(set).collect()).collect::<Vec<_>>()
    };
    candidates.iter().enumerate().flat_map(with).collect()
}

/// `base`, and dim by dim, each time the one that tells most rows apart.
fn grown<'c, 'f>(
    base: Vec<&'c Candidate<'f>>,
    candidates: &[&'c Candidate<'f>],
    rows: usize,
) -> Option<Vec<&'c Candidate<'f>>> {
    let mut chosen = base;
    while chosen.len() < MAX_DIMS && !is_unique(&chosen, rows) {
        let with = |next: &&'c Candidate<'f>| chosen.iter().copied().chain([*next]).collect::<Vec<_>>();
        let rest = candidates.iter().copied().filter(|next| !chosen.iter().any(|own| std::ptr::eq(*own, *next)));
        let best = rest.max_by_key(|next| distinct(&with(next), rows))?;
        if distinct(&with(&best), rows) == distinct(&chosen, rows) {
            return None;
        }
        chosen.push(best);
    }
    (rows > 0 && is_unique(&chosen, rows)).then_some(chosen)
}
