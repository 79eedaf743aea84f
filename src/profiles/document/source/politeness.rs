//! How often a source may be asked.

use crate::profiles::duration::Duration;
use crate::profiles::node::{At, document};

document! {
    /// So many requests in a length of time.
    pub struct RateDoc {
        /// Number of requests.
        #[schemars(required)]
        requests: At<u64>,
        /// The length of time, such as `PT1S` or `P1D`.
        #[schemars(required)]
        per: At<Duration>,
    }
}
