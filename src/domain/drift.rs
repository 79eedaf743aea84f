//! Whether a run's shape is another than its profile's runs had so far, and what a profile wants done about it. Pure:
//! the history comes in as an argument. It speaks only where chance is no explanation: a field that one row in a
//! thousand has may be absent from a run without anything having changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::{FieldShape, JsonType, RunShape};

/// Shapes of a profile that are remembered.
pub const HISTORY: usize = 10;
/// A field is called gone when chance alone would leave it out less often than this.
const CHANCE: f64 = 0.001;
/// Counts below this vary too much to be compared as a share.
const FEW_ROWS: u64 = 10;
/// Runs after which an answer without any row is strange, however few rows it used to have.
const SURE_RUNS: usize = 3;
/// A field was well read while no more than this share of its values was not.
const WELL_READ: f64 = 0.05;
/// It is badly read from this share on.
const BADLY_READ: f64 = 0.5;
/// A name is looked out for once this share of the looked at rows has it.
const COMMON: f64 = 0.5;
/// Changes told of one run.
const MAX_CHANGES: usize = 50;

/// What becomes of a run that drifted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Its records are stored, and it is marked.
    #[default]
    Keep,
    /// Its records are put aside until somebody says what becomes of them.
    Quarantine,
    /// It fails; none of its records is stored.
    Fail,
}

impl Then {
    /// Whether its records wait until the whole run was judged.
    pub fn holds(self) -> bool {
        self != Self::Keep
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Quarantine => "quarantine",
            Self::Fail => "fail",
        }
    }
}

/// What a member of the rows means that was never seen before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewFields {
    /// It is told, and that is all.
    #[default]
    Note,
    Ignore,
    /// It is a drift like any other.
    Drift,
}

/// How a profile's runs are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftRule {
    pub then: Then,
    /// Fewer rows than this share of the median of the last runs are a drift. Absent: rows are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer_rows: Option<f64>,
    #[serde(default)]
    pub new_fields: NewFields,
}

/// What became of records that were held until their run was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The run looked as ever; they are being stored.
    Accepted,
    /// They wait in quarantine.
    Waiting,
    /// The run failed for its drift; they are gone.
    Failed,
    /// They waited and were stored.
    Released,
    /// They waited, or their run never ended, and they are gone.
    Discarded,
}

impl Fate {
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Waiting, Self::Failed, Self::Released, Self::Discarded];

    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Discarded => "discarded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.word() == text)
    }
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A field or member is no longer there.
    Gone,
    /// A member that was never there before.
    New,
    /// The value is of another JSON type.
    Type,
    /// A field has no value any more.
    Missing,
    /// A field's values can no longer be read.
    Unread,
    /// There are far fewer rows.
    Rows,
    /// The run's records are more than may be held until it is judged.
    TooLarge,
}

/// One change, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A field of the profile (`measures.value`), a member of the rows (`rows.value`), or `rows`.
    pub field: String,
    pub kind: ChangeKind,
    pub before: String,
    pub after: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} before, now {}", self.field, self.before, self.after)
    }
}

/// Changes as one sentence for the operator.
pub fn in_words(changes: &[Change]) -> String {
    let all: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!("the source drifted: {}", all.join("; "))
}

/// Whether there is more to it than members that were only to be noted.
pub fn is_drift(rule: &DriftRule, changes: &[Change]) -> bool {
    changes.iter().any(|change| change.kind != ChangeKind::New || rule.new_fields == NewFields::Drift)
}

/// Compares a run with those before it, the newest first. `whole`: it read all that there was, so that its rows can be
/// compared.
pub fn judge(rule: &DriftRule, history: &[RunShape], shape: &RunShape, whole: bool) -> Vec<Change> {
    if history.is_empty() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    if whole {
        changes.extend(rows(rule, history, shape));
    }
    if shape.rows > 0 {
        let with_rows: Vec<&RunShape> = history.iter().filter(|before| tells_fields(before)).collect();
        changes.extend(shape.fields.iter().filter_map(|field| self::field(field, &with_rows)));
        changes.extend(gone_names(&with_rows, shape));
        changes.extend(new_names(rule, &with_rows, shape));
    }
    changes.truncate(MAX_CHANGES);
    changes
}

/// The history that the next run is compared with. A change that was told once is accepted with it.
pub fn accepted(rule: &DriftRule, history: Vec<RunShape>, shape: RunShape, changes: &[Change]) -> Vec<RunShape> {
    if is_drift(rule, changes) {
        return vec![after_drift(history.first(), shape)];
    }
    let mut history = history;
    history.insert(0, shape);
    history.truncate(HISTORY);
    history
}

/// What is remembered of a run that drifted. An answer without rows says nothing of the fields: those are remembered as they were.
pub fn after_drift(before: Option<&RunShape>, shape: RunShape) -> RunShape {
    match before {
        Some(before) if shape.rows == 0 => RunShape { rows: 0, ..before.clone() },
        _ => shape,
    }
}

/// Whether there were rows from which anything is known of the fields.
fn tells_fields(shape: &RunShape) -> bool {
    shape.looked_at > 0 || shape.fields.iter().any(|field| field.rows() > 0)
}

fn rows(rule: &DriftRule, history: &[RunShape], shape: &RunShape) -> Option<Change> {
    let share = rule.fewer_rows?;
    let mut counts: Vec<u64> = history.iter().map(|before| before.rows).collect();
    counts.sort_unstable();
    let median = counts[counts.len() / 2];
    let sure = median >= FEW_ROWS || (shape.rows == 0 && counts.len() >= SURE_RUNS && counts[0] > 0);
    if !sure || number(shape.rows) >= share * number(median) {
        return None;
    }
    Some(Change {
        field: "rows".into(),
        kind: ChangeKind::Rows,
        before: format!("{median} (median of {} runs)", counts.len()),
        after: shape.rows.to_string(),
    })
}

fn field(now: &FieldShape, history: &[&RunShape]) -> Option<Change> {
    let past: Vec<&FieldShape> =
        history.iter().filter_map(|shape| shape.field(&now.name)).filter(|field| field.rows() > 0).collect();
    if past.is_empty() || now.rows() == 0 {
        return None;
    }
    let change = |kind, before, after| Some(Change { field: now.name.clone(), kind, before, after });
    let least = past.iter().map(|field| share(field.present, field.rows())).fold(1.0, f64::min);
    if now.present == 0 && is_no_chance(least, now.rows()) {
        let (kind, what) = match (now.unread, now.types.is_empty()) {
            (0, true) => (ChangeKind::Gone, "is in none of"),
            (0, false) => (ChangeKind::Missing, "without a value in all of"),
            _ => (ChangeKind::Unread, "cannot be read in any of"),
        };
        return change(kind, format!("a value in {}", percent(least)), format!("{what} {} rows", now.rows()));
    }
    let unread = share(now.unread, now.rows());
    let most_unread = past.iter().map(|field| share(field.unread, field.rows())).fold(0.0, f64::max);
    if unread >= BADLY_READ && most_unread <= WELL_READ && now.rows() >= FEW_ROWS {
        let before = format!("unread in {}", percent(most_unread));
        return change(ChangeKind::Unread, before, format!("unread in {}", percent(unread)));
    }
    let (old, new) = (types(past.iter().flat_map(|field| field.value_types())), types(now.value_types()));
    let other = !old.is_empty() && !new.is_empty() && !new.iter().any(|kind| old.contains(kind));
    if other { change(ChangeKind::Type, words(&old), words(&new)) } else { None }
}

/// Members that most rows of every run had, and none has now.
fn gone_names<'a>(history: &'a [&RunShape], shape: &'a RunShape) -> impl Iterator<Item = Change> + 'a {
    let names = history.first().into_iter().flat_map(|latest| latest.names.keys());
    let seen = |before: &RunShape, name: &str| share(before.names.get(name).copied().unwrap_or(0), before.looked_at);
    names.filter(|_| shape.looked_at > 0).filter_map(move |name| {
        let least = history.iter().map(|before| seen(before, name)).fold(1.0, f64::min);
        let gone = !shape.names.contains_key(name) && least >= COMMON && is_no_chance(least, shape.looked_at);
        gone.then(|| Change {
            field: format!("rows.{name}"),
            kind: ChangeKind::Gone,
            before: format!("in {} of the rows", percent(least)),
            after: "in none".into(),
        })
    })
}

/// Members that most rows have now, and none had before.
fn new_names<'a>(rule: &DriftRule, history: &'a [&RunShape], shape: &'a RunShape) -> impl Iterator<Item = Change> + 'a {
    let looked_at = history.iter().any(|before| before.looked_at > 0);
    let wanted = rule.new_fields != NewFields::Ignore && looked_at;
    shape.names.iter().filter(move |_| wanted).filter_map(move |(name, rows)| {
        let common = share(*rows, shape.looked_at) >= COMMON;
        let new = common && !history.iter().any(|before| before.names.contains_key(name));
        new.then(|| Change {
            field: format!("rows.{name}"),
            kind: ChangeKind::New,
            before: "never there".into(),
            after: format!("in {} of the rows", percent(share(*rows, shape.looked_at))),
        })
    })
}

/// Whether what this share of the rows has would hardly be absent from so many rows by chance.
fn is_no_chance(share: f64, rows: u64) -> bool {
    let rows = i32::try_from(rows).unwrap_or(i32::MAX);
    share > 0.0 && (1.0 - share).powi(rows) < CHANCE
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "a share of rows needs no more digits than a double has")]
fn number(count: u64) -> f64 {
    count as f64
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 { "less than 1 %".into() } else { format!("{percent:.0} %") }
}

fn types(kinds: impl Iterator<Item = JsonType>) -> Vec<JsonType> {
    let mut kinds: Vec<JsonType> = kinds.collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn words(kinds: &[JsonType]) -> String {
    kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
