//! The key that we show to another process. Clones share it, so that a new key holds for all of them at once.

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

/// A key, or none.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownKey(Arc<RwLock<Option<SecretString>>>);

impl ShownKey {
    pub(super) fn new(key: Option<SecretString>) -> Self {
        Self(Arc::new(RwLock::new(key)))
    }

    pub(super) fn replace(&self, key: SecretString) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// What `put` makes of the key, where there is one.
    pub(super) fn on<T>(&self, target: T, put: impl FnOnce(T, &str) -> T) -> T {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Some(key) => put(target, key.expose_secret()),
            None => target,
        }
    }
}
