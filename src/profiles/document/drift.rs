//! What is done when a source's answers change their shape.

use super::super::node::{At, document, words};
use super::super::scalar::Number;

document! {
    /// What is done when a run looks other than the runs before it: a field that is gone, that has no value any more or
    /// another type, far fewer rows. Each run is compared with the last ten of the same version of the profile.
    pub struct DriftDoc {
        /// `keep` (default): the records are stored, the run is marked, and what it looks like is what the next one is
        /// compared with. `quarantine`: its records are put aside until somebody releases or discards them. `fail`: it
        /// fails and stores nothing.
        then: Then,
        /// Fewer rows than this share of the median of the last runs are a drift, from 0 to 1; 0 turns it off. Default
        /// 0.5, and 0 for a source with a `cursor`, which gives what is new only.
        fewer_rows: At<Number>,
        /// Members that were never there before: `note` (default: they are told), `ignore`, or `drift` (they count like
        /// any other change).
        new_fields: NewFields,
    }
}

words! {
    pub enum Then {
        Keep "keep",
        Quarantine "quarantine",
        Fail "fail",
    }
}

words! {
    pub enum NewFields {
        Note "note",
        Ignore "ignore",
        Drift "drift",
    }
}
