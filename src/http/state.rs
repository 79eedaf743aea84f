//! What every request may need, shared by all workers of the server.

use std::time::Duration;

use super::auth::Gate;
use super::body::Bodies;
use super::events::Events;
use super::rate::Limiter;
use crate::settings::HttpSettings;

/// The server's own state. The roles' clients stand beside it.
#[derive(Debug)]
pub struct AppState {
    pub gate: Gate,
    pub limiter: Limiter,
    pub bodies: Bodies,
    pub events: Events,
    /// The most time for a whole request, its body included.
    pub request_timeout: Duration,
}

impl AppState {
    pub fn new(settings: &HttpSettings, admin_key: &str, events: Events) -> Self {
        Self {
            gate: Gate::new(admin_key, settings.require_key_for_reads),
            limiter: Limiter::new(settings.rate_per_second, settings.rate_burst),
            bodies: Bodies::new(settings.max_body_bytes, settings.max_inflated_bytes),
            events,
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
        }
    }
}
