//! Crash injection: named places in an actor where a test can order a panic.
//!
//! Compiled always, because tests outside this crate need it and because an actor under test must be the actor that
//! ships. In production the list is absent, and passing a breakpoint is one comparison with null.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

type Armed = Mutex<BTreeMap<&'static str, u32>>;

/// Part of an actor's seed. Clones share their orders.
#[derive(Debug, Clone, Default)]
pub struct Breakpoints(Option<Arc<Armed>>);

impl Breakpoints {
    /// Nothing can be ordered; what production uses. The same as `default()`.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// A list that a test can arm.
    #[must_use]
    pub fn armable() -> Self {
        Self(Some(Arc::default()))
    }

    /// The next `times` passes of the breakpoint `name` panic. Without effect on [`Breakpoints::none`].
    pub fn arm(&self, name: &'static str, times: u32) {
        if let Some(armed) = &self.0 {
            armed.lock().unwrap_or_else(PoisonError::into_inner).insert(name, times);
        }
    }

    /// A place in the code under test.
    ///
    /// # Panics
    /// When a test has armed it.
    pub fn pass(&self, name: &'static str) {
        if self.take(name) {
            panic!("injected at {name}");
        }
    }

    fn take(&self, name: &'static str) -> bool {
        let Some(armed) = &self.0 else { return false };
        let mut orders = armed.lock().unwrap_or_else(PoisonError::into_inner);
        match orders.get_mut(name) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armed_breakpoint_panics_as_often_as_ordered() {
        let breakpoints = Breakpoints::armable();
        breakpoints.arm("load", 1);
        let copy = breakpoints.clone();
        std::panic::catch_unwind(|| copy.pass("load")).expect_err("the armed pass panics");
        breakpoints.pass("load");
        breakpoints.pass("elsewhere");
    }
}
