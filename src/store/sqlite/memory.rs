//! What the writer remembers between transactions to spare the database questions. Only ever a shortcut: emptied
//! whenever a transaction fails, and every answer it gives holds whatever other processes write.

use std::collections::HashMap;

/// Profiles that are remembered; then all are forgotten, which costs one slower batch each.
const MAX_PROFILES: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether most records of a profile's last batch were known.
    mostly_known: HashMap<i64, bool>,
}

impl Memory {
    pub(super) fn expects_known(&self, profile: i64) -> bool {
        self.mostly_known.get(&profile).copied().unwrap_or(false)
    }

    pub(super) fn remember(&mut self, profile: i64, mostly_known: bool) {
        if self.mostly_known.len() >= MAX_PROFILES {
            self.mostly_known.clear();
        }
        self.mostly_known.insert(profile, mostly_known);
    }
}
