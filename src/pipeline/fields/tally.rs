//! Rows and fields that were lost, counted by reason, with the first value of each.

use thiserror::Error;

use crate::domain::rejects::{MAX_ROWS, MAX_ROWS_OF_REASON, RejectedRow, Rejects};
use crate::domain::shape::RunShape;
use crate::pipeline::outcome::Dropped;
use crate::pipeline::sketch::Sketch;
use crate::profiles::plan::{Field, Mapping};
use crate::profiles::time::TimeError;

/// Reasons told apart by value are counted up to this many; the rest is counted together.
const MAX_REASONS: usize = 50;
const MAX_EXAMPLE_CHARS: usize = 80;

/// Why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Loss {
    #[error("is not a number")]
    NotANumber,
    #[error("is not in the map")]
    NotInMap,
    #[error("is too long for a dim")]
    TooLong,
    #[error("is not a time of this dim: {0}")]
    Time(TimeError),
    #[error("is not a whole number")]
    NotWhole,
    #[error("is neither true nor false")]
    NotABoolean,
    #[error("is not in the lookup")]
    NotInLookup,
    #[error("has a factor that is not a number")]
    NoFactor,
    #[error("has a unit that does not convert")]
    NoUnit,
    #[error("is in another unit than the profile says")]
    OtherUnit,
}

/// A value that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    reason: String,
    example: String,
}

impl Unread {
    #[cold]
    pub fn new(field: &Field, loss: Loss, text: &str) -> Self {
        let example = text.chars().take(MAX_EXAMPLE_CHARS).collect();
        Self { reason: format!("{} {loss}", field.name), example }
    }

    pub fn in_words(&self) -> String {
        format!("{}: {}", self.reason, self.example)
    }
}

/// Why a row gave no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drop {
    /// It does not meet a condition; the index says which.
    Filtered(usize),
    WithoutMeasure,
    /// A dim of the key has no value.
    WithoutKey(String),
    /// A dim has a value that cannot be read.
    Dim(Unread),
    /// The record is too large.
    TooLarge,
    /// Another row of the run has the same key, and counts instead.
    SameKey,
    /// The answer names another unit than the profile.
    OtherUnit(Unread),
}

/// Counts by reason.
#[derive(Debug, Default)]
pub struct Tally {
    dropped: Counts,
    unread: Counts,
    notes: Counts,
    sketch: Sketch,
    rejects: Rejects,
    /// Why the row in hand is a reject whose excerpt is wanted.
    waiting: Vec<String>,
    /// Excerpts from which secrets are still to be taken out.
    raw: Vec<RejectedRow>,
}

#[derive(Debug, Default)]
struct Counts(Vec<Dropped>);

impl Counts {
    fn add(&mut self, reason: &str, example: Option<&str>) {
        if let Some(known) = self.0.iter_mut().find(|known| known.reason == reason) {
            known.rows += 1;
            return;
        }
        let reason = if self.0.len() < MAX_REASONS { reason } else { "other reasons" };
        match self.0.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.rows += 1,
            None => {
                self.0.push(Dropped { reason: reason.to_owned(), rows: 1, example: example.map(str::to_owned) });
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for dropped in other.0 {
            match self.0.iter_mut().find(|known| known.reason == dropped.reason) {
                Some(known) => known.rows += dropped.rows,
                None => self.0.push(dropped),
            }
        }
        self.0.truncate(MAX_REASONS + 1);
    }
}

impl Tally {
    /// For one page.
    pub fn of(mapping: &Mapping) -> Self {
        Self { sketch: Sketch::of(mapping), ..Self::default() }
    }

    pub fn sketch(&mut self) -> &mut Sketch {
        &mut self.sketch
    }

    pub fn unread(&mut self, unread: &Unread) {
        self.unread.add(&unread.reason, Some(&unread.example));
        self.reject(&unread.reason);
    }

    fn reject(&mut self, reason: &str) {
        self.rejects.count(reason, 1);
        let alike = || self.raw.iter().filter(|row| row.reason == reason).count();
        if self.raw.len() < MAX_ROWS && alike() < MAX_ROWS_OF_REASON {
            self.waiting.push(reason.to_owned());
        }
    }

    /// Whether the excerpt of the row in hand is wanted.
    pub fn wants_excerpt(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub fn excerpt(&mut self, excerpt: &str) {
        for reason in std::mem::take(&mut self.waiting) {
            self.raw.push(RejectedRow { reason, excerpt: excerpt.to_owned() });
        }
    }

    /// Passes every text that came from the answer through `clean`. Excerpts are kept only after it.
    pub fn redact(&mut self, clean: impl Fn(&str) -> String) {
        self.raw.drain(..).for_each(|row| self.rejects.keep(&row.reason, &clean(&row.excerpt)));
        let examples =
            [&mut self.dropped, &mut self.unread, &mut self.notes].into_iter().flat_map(|counts| &mut counts.0);
        examples.filter_map(|dropped| dropped.example.as_mut()).for_each(|example| *example = clean(example));
    }

    /// Counts something that an operator should know and that lost nothing.
    pub fn note(&mut self, what: &str, example: Option<&str>) {
        self.notes.add(what, example);
    }

    pub fn drop_row(&mut self, drop: &Drop, conditions: &[crate::profiles::plan::Rule]) {
        match drop {
            Drop::Filtered(index) => {
                let text = conditions.get(*index).map_or("", |condition| condition.text.as_str());
                self.dropped.add(&format!("where: not {text}"), None);
            }
            Drop::SameKey => self.dropped.add("another row of the run has the same key", None),
            Drop::WithoutMeasure => self.failed("no measure has a value", None),
            Drop::WithoutKey(name) => self.failed(&format!("{name} of the key has no value"), None),
            Drop::Dim(unread) | Drop::OtherUnit(unread) => self.failed(&unread.reason, Some(&unread.example)),
            Drop::TooLarge => self.failed("the record is too large", None),
        }
    }

    fn failed(&mut self, reason: &str, example: Option<&str>) {
        self.dropped.add(reason, example);
        self.reject(reason);
    }

    pub fn merge(&mut self, other: Self) {
        self.sketch.merge(&other.sketch);
        self.rejects.merge(&other.rejects);
        self.dropped.merge(other.dropped);
        self.unread.merge(other.unread);
        self.notes.merge(other.notes);
    }

    /// Takes all that another tally holds as notes, under a name.
    pub fn note_all(&mut self, other: Self, name: &str) {
        for counts in [other.dropped, other.unread, other.notes] {
            let told = |known: Dropped| Dropped { reason: format!("{name}{}", known.reason), ..known };
            self.notes.merge(Counts(counts.0.into_iter().map(told).collect()));
        }
    }

    /// What the rows looked like.
    pub fn shape(&self, fields: &[Field], rows: u64) -> RunShape {
        self.sketch.shape(fields, rows)
    }

    /// Rows dropped, fields unread, and notes, by reason; and the rows that failed.
    pub fn into_parts(self) -> (Vec<Dropped>, Vec<Dropped>, Vec<Dropped>, Rejects) {
        (self.dropped.0, self.unread.0, self.notes.0, self.rejects)
    }
}
