//! Whether another process is known to hang. It is found out by whoever looks at it at a steady pace, and spares all
//! others the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Looks in a row that got no answer in time, before it counts: one may be a busy moment.
const LOOKS: u32 = 2;

/// What is known of one peer. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Hang(Arc<AtomicU32>);

impl Hang {
    pub fn is_known(&self) -> bool {
        self.0.load(Relaxed) >= LOOKS
    }

    /// A look got no answer in time.
    pub fn suspect(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// It answered, or took no connection, which is told at once anyway.
    pub fn clear(&self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_moment_is_no_hang_and_an_answer_ends_it() {
        let hang = Hang::default();
        let same = hang.clone();
        hang.suspect();
        assert!(!same.is_known());
        hang.suspect();
        assert!(same.is_known());
        hang.clear();
        assert!(!same.is_known());
    }
}
