//! What a body says to the rules: out of the cells of the walk that reads the rows, or of a walk for the rules alone.

use crate::pipeline::decode::{self, Document, Room};
use crate::pipeline::fetch::Answer;
use crate::pipeline::fields::{holds, tells_something};
use crate::pipeline::json::{Cell, Walker};
use crate::profiles::plan::{BodyRule, Format, Plan, Policy, Slot, Test};

/// What a body says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Told {
    /// To each rule; nothing where no rule looks into bodies.
    pub rules: Vec<ToldRule>,
    /// The source's own words.
    pub message: Option<String>,
    /// The earliest next poll, as it is written.
    pub ttl: Option<String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ToldRule {
    /// All conditions on the body hold.
    pub holds: bool,
    pub message: Option<String>,
    pub wait: Option<String>,
    /// What stands at the path that a condition names alone.
    pub value: Option<String>,
}

/// Reads what the rules want to know, once all cells of the document are filled.
pub fn told(policy: &Policy, cells: &[Cell<'_>]) -> Told {
    if policy.is_empty() {
        return Told::default();
    }
    Told {
        rules: policy.rules.iter().map(|rule| told_rule(rule, cells)).collect(),
        message: words(policy.message, cells),
        ttl: words(policy.ttl, cells),
    }
}

fn told_rule(rule: &BodyRule, cells: &[Cell<'_>]) -> ToldRule {
    if !rule.conditions.iter().all(|asked| holds(&asked.condition, cells) != asked.negated) {
        return ToldRule::default();
    }
    let alone = rule.conditions.iter().find(|asked| matches!(asked.condition.test, Test::Tells) && !asked.negated);
    ToldRule {
        holds: true,
        message: words(rule.message, cells),
        wait: words(rule.wait, cells),
        value: words(alone.map(|asked| asked.condition.slot), cells),
    }
}

fn words(slot: Option<Slot>, cells: &[Cell<'_>]) -> Option<String> {
    let cell = cells.get(usize::from(slot?)).copied().filter(|cell| tells_something(*cell))?;
    cell.text().map(|text| text.chars().take(MAX_CHARS).collect())
}

/// A message is cut here; what it is shown with is shorter.
const MAX_CHARS: usize = 2_000;

/// Walks a body for the rules alone. `None`: they ask nothing of it, or it cannot be read.
pub fn probe(plan: &Plan, answer: &Answer) -> Option<Told> {
    let probe = &plan.answers.probe;
    if probe.policy.is_empty() {
        return None;
    }
    let first = answer.body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    // An error comes as JSON from sources of all formats.
    let format = match (&plan.decoding.format, first) {
        (Format::Xml, b'<') => &Format::Xml,
        (_, b'<') => return None,
        (Format::Csv(_) | Format::Columns(_), first) if !b"{[".contains(first) => return None,
        _ => &Format::Json,
    };
    let Ok(Document::Json(text)) = decode::decode(&answer.body, format, Room::of(plan.limits.max_bytes)) else {
        return None;
    };
    let mut cells = vec![Cell::Absent; probe.places.slots];
    let mut walker = Walker::new(&text, &probe.places);
    while walker.next_row(&mut cells).ok()? {}
    Some(told(&probe.policy, &cells))
}
