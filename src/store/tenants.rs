//! Tenants by the integer that every query is bound to. How one is looked up and created is the engine's business.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::ids::TenantId;

/// A tenant as the database knows it. No row belongs to `NOBODY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tenant(pub(super) i64);

pub(super) const NOBODY: Tenant = Tenant(0);

/// Tenants that were looked up; their integers never change.
#[derive(Debug, Default)]
pub(super) struct Tenants(Mutex<HashMap<TenantId, Tenant>>);

impl Tenants {
    pub(super) fn get(&self, name: &TenantId) -> Option<Tenant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    pub(super) fn put(&self, name: &TenantId, tenant: Tenant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), tenant);
    }
}
