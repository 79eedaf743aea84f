//! What every request may need, shared by all workers of the server.

use std::time::Duration;

use super::auth::Gate;
use super::body::Bodies;
use super::rate::Limiter;
use crate::settings::HttpSettings;
use tokio::sync::Semaphore;

/// Drones that may wait for work at once.
const MAX_WAITERS: usize = 10_000;

/// Bodies of lines that are taken in at a time; each holds a few chunks.
const MAX_LINE_BODIES: usize = 8;
const MAX_SMALL_BODY_BYTES: usize = 4 << 10;

/// The server's own state. The roles' clients stand beside it.
#[derive(Debug)]
pub struct AppState {
    pub gate: Gate,
    pub limiter: Limiter,
    pub bodies: Bodies,
    /// Bodies between roles: those that came inflated and checked, so larger.
    pub internal_bodies: Bodies,
    /// Bodies of callers who have shown no key yet.
    pub small_bodies: Bodies,
    /// Seats for drones that wait for work.
    pub waiters: Semaphore,
    /// Seats for bodies of lines.
    pub line_bodies: Semaphore,
    /// The most time for a whole request, its body included.
    pub request_timeout: Duration,
}

impl AppState {
    pub fn new(settings: &HttpSettings, admin_key: &str) -> Self {
        let internal_bytes = settings.max_inflated_bytes.saturating_mul(2);
        Self {
            gate: Gate::new(admin_key, settings.require_key_for_reads),
            limiter: Limiter::new(settings.rate_per_second, settings.rate_burst),
            bodies: Bodies::new(settings.max_body_bytes, settings.max_inflated_bytes),
            internal_bodies: Bodies::new(internal_bytes, internal_bytes),
            small_bodies: Bodies::new(MAX_SMALL_BODY_BYTES, MAX_SMALL_BODY_BYTES),
            waiters: Semaphore::new(MAX_WAITERS),
            line_bodies: Semaphore::new(MAX_LINE_BODIES),
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
        }
    }
}
