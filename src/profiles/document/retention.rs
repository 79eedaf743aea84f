//! What of a profile's records and runs the store may let go.

use super::super::duration::Age;
use super::super::node::{At, document};

document! {
    /// What the store lets go. Left out: everything is kept. What the source gives now is never let go, whatever is said
    /// here: what the latest run that succeeded has seen stays, and what any run since has seen.
    pub struct RetentionDoc {
        /// A record goes when no run has seen it for this long, such as `P2Y` or `90d`. What a run that found the source
        /// unchanged would have seen counts as seen.
        records: At<Age>,
        /// Of one observation, which the `key` names, at most this many versions are kept: the latest.
        versions: At<u64>,
        /// At most this many records, earlier versions included; those that arrived first go first.
        max_records: At<u64>,
        /// Age at which a run goes, with what was told of it: at least `15d`, since a drone may send for so long what
        /// it could not. A run stays while it is the first or the last that saw a record which is kept. Default: what
        /// the node's settings say, and that is to keep all.
        runs: At<Age>,
    }
}
