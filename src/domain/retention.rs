//! What a profile's owner wants kept, and what becomes of the versions of one observation when some of them go. Pure:
//! which records a source still gives comes in as an argument.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long, and how many. Each bound by itself; absent: everything is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// A record goes when no run has seen it for this long, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_ms: Option<u64>,
    /// Of one observation at most this many versions are kept, the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<u32>,
    /// At most this many records are kept; those that arrived first go first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_records: Option<u64>,
    /// A run goes at this age, in milliseconds, unless it is the first or the last that saw a record which is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_ms: Option<u64>,
}

impl Retention {
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }

    /// What is not said here as it is said there.
    #[must_use]
    pub fn or(self, usual: &Self) -> Self {
        Self {
            records_ms: self.records_ms.or(usual.records_ms),
            versions: self.versions.or(usual.versions),
            max_records: self.max_records.or(usual.max_records),
            runs_ms: self.runs_ms.or(usual.runs_ms),
        }
    }

    /// Whether something goes under it that stays under `other`.
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        fn less<T: Ord>(own: Option<T>, other: Option<T>) -> bool {
            own.is_some_and(|own| other.is_none_or(|other| own < other))
        }
        less(self.records_ms, other.records_ms)
            || less(self.versions, other.versions)
            || less(self.max_records, other.max_records)
            || less(self.runs_ms, other.runs_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tighter_is_what_takes_more() {
        let all = Retention::default();
        let year = Retention { records_ms: Some(365), ..all };
        let both = Retention { records_ms: Some(365), versions: Some(5), ..all };
        assert!(year.is_tighter_than(&all) && both.is_tighter_than(&year));
        assert!(!all.is_tighter_than(&year) && !year.is_tighter_than(&both) && !year.is_tighter_than(&year));
        assert_eq!(all.or(&both), both);
        assert_eq!(Retention { versions: Some(9), ..all }.or(&both).versions, Some(9));
    }
}
