//! Rows that failed, kept aside: the first of each reason with what they said, and how many there were. Pure, and bounded
//! whatever a source sends.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Rows kept of one run.
pub const MAX_ROWS: usize = 100;
/// Rows kept of one run for one reason, so that a flood of one does not hide the others.
pub const MAX_ROWS_OF_REASON: usize = 25;
/// Bytes of the excerpts kept of one run.
pub const MAX_BYTES: usize = 64 << 10;
/// The longest excerpt, in characters.
pub const MAX_EXCERPT_CHARS: usize = 400;
/// Reasons told apart; the rest is counted together.
pub const MAX_REASONS: usize = 50;
/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 300;

const OTHER_REASONS: &str = "other reasons";

/// A row that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedRow {
    /// Why it failed.
    pub reason: String,
    /// What the row says, cut at 400 characters; secrets are taken out.
    pub excerpt: String,
}

/// How many rows failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectCount {
    pub reason: String,
    pub rows: u64,
}

/// The rows of a run that failed: all of them counted, the first kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejects {
    pub counts: Vec<RejectCount>,
    pub rows: Vec<RejectedRow>,
}

impl Rejects {
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Failures in all. A row with two fields that cannot be read counts for both.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.rows).sum()
    }

    /// Counts `rows` that failed for `reason`.
    pub fn count(&mut self, reason: &str, rows: u64) {
        if let Some(known) = self.counts.iter_mut().find(|known| known.reason == reason) {
            known.rows += rows;
            return;
        }
        let reason = if self.counts.len() < MAX_REASONS { cut(reason, MAX_REASON_CHARS) } else { OTHER_REASONS };
        match self.counts.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.rows += rows,
            None => self.counts.push(RejectCount { reason: reason.to_owned(), rows }),
        }
    }

    /// Whether one more row with this reason would be kept.
    pub fn has_room(&self, reason: &str) -> bool {
        let alike = || self.rows.iter().filter(|row| row.reason == reason).count();
        self.rows.len() < MAX_ROWS && alike() < MAX_ROWS_OF_REASON && self.bytes() < MAX_BYTES
    }

    /// Keeps a row's excerpt while there is room; `count` counts it.
    pub fn keep(&mut self, reason: &str, excerpt: &str) {
        let reason = cut(reason, MAX_REASON_CHARS);
        let excerpt = cut(excerpt, MAX_EXCERPT_CHARS);
        if self.has_room(reason) && self.bytes() + reason.len() + excerpt.len() <= MAX_BYTES {
            self.rows.push(RejectedRow { reason: reason.to_owned(), excerpt: excerpt.to_owned() });
        }
    }

    /// Adds what another part of the run had.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|count| self.count(&count.reason, count.rows));
        other.rows.iter().for_each(|row| self.keep(&row.reason, &row.excerpt));
    }

    /// The same within its bounds, for what came from outside.
    #[must_use]
    pub fn bounded(&self) -> Self {
        let mut bounded = Self::default();
        bounded.merge(self);
        bounded
    }

    /// The same with every text passed through `clean`.
    #[must_use]
    pub fn redacted(&self, clean: impl Fn(String) -> String) -> Self {
        let mut redacted = Self::default();
        self.counts.iter().for_each(|count| redacted.count(&clean(count.reason.clone()), count.rows));
        self.rows.iter().for_each(|row| redacted.keep(&clean(row.reason.clone()), &clean(row.excerpt.clone())));
        redacted
    }

    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.reason.len() + row.excerpt.len()).sum()
    }
}

/// The first `chars` characters.
pub fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_is_counted_and_little_is_kept(rows in prop::collection::vec((0_u8..80, ".{0,900}"), 0..400)) {
            let mut rejects = Rejects::default();
            for (reason, excerpt) in &rows {
                rejects.count(&format!("reason {reason}"), 1);
                rejects.keep(&format!("reason {reason}"), excerpt);
            }
            prop_assert_eq!(rejects.total(), rows.len() as u64);
            prop_assert!(rejects.rows.len() <= MAX_ROWS && rejects.bytes() <= MAX_BYTES);
            prop_assert!(rejects.counts.len() <= MAX_REASONS + 1);
            prop_assert!(rejects.rows.iter().all(|row| row.excerpt.chars().count() <= MAX_EXCERPT_CHARS));
            prop_assert_eq!(rejects.bounded(), rejects);
        }
    }

    #[test]
    fn a_flood_of_one_reason_leaves_room_for_another() {
        let mut rejects = Rejects::default();
        (0..1_000).for_each(|row| rejects.keep("flood", &row.to_string()));
        rejects.keep("rare", "the one");
        assert_eq!((rejects.rows.len(), rejects.rows[MAX_ROWS_OF_REASON].reason.as_str()), (26, "rare"));
    }
}
