//! How much memory the rows of one answer may take where they are made ready before they are read. It follows what the
//! profile lets a run read, and knows nothing else of it.

use crate::pipeline::page::PageError;

/// So many bytes of prepared rows for each byte that a run may read: a cube names its codes in every row.
const TIMES: u64 = 2;
/// What a small limit leaves all the same.
const LEAST: usize = 128 << 20;

/// A bound on prepared rows.
#[derive(Debug, Clone, Copy)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(LEAST)
    }
}

impl Room {
    /// For runs that read at most so many bytes.
    pub fn of(max_bytes: u64) -> Self {
        Self(usize::try_from(max_bytes.saturating_mul(TIMES)).unwrap_or(usize::MAX).max(LEAST))
    }

    /// Whether so many bytes are within the bound.
    pub fn check(self, bytes: usize) -> Result<(), PageError> {
        if bytes <= self.0 {
            return Ok(());
        }
        let limit = self.0 >> 20;
        Err(PageError::Failed(format!(
            "the rows of one answer take more than {limit} MiB once they are made ready; raise limits.max_bytes \
             (they may take twice as much), or ask for less at once"
        )))
    }

    /// For tests.
    #[cfg(test)]
    pub fn exactly(bytes: usize) -> Self {
        Self(bytes)
    }
}
