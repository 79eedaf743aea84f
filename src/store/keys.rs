//! The keys of profiles as the writer last saw them, so that a batch's observations are worked out before the writer
//! has its turn. Only ever a shortcut: the writer checks it against the database with each batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::tenants::Tenant;
use crate::domain::ids::ProfileId;

/// Keys that are kept; then all are forgotten.
const MAX_KEYS: usize = 20_000;

/// Profiles that have a key, and the key as the database wrote it down.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<HashMap<(i64, ProfileId), String>>);

impl Keys {
    pub(super) fn get(&self, tenant: Tenant, profile: &ProfileId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(tenant.0, profile.clone())).cloned()
    }

    pub(super) fn keep(&self, tenant: Tenant, profile: &ProfileId, key: Option<&str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEYS {
            known.clear();
        }
        match key {
            Some(key) => known.insert((tenant.0, profile.clone()), key.to_owned()),
            None => known.remove(&(tenant.0, profile.clone())),
        };
    }
}
