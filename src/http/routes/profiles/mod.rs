//! Profiles: read, written, checked, paused and run. What is fixed (`schema`, `:pause`) stands before `{id}`, which
//! would take it for an id.

mod actions;
mod pin;
mod preview;
mod read;
mod replay;
mod retention;
mod text;
mod write;

use std::time::Duration;

use tokio::time::timeout;

use crate::actors::Clients;
use crate::domain::ids::TenantId;
use crate::http::area::area;
use crate::protocol::coordinator::ProfilesChanged;

pub use preview::Previews;

/// The longest that a write waits for the coordinator to hear of it.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(1);

area!(
    read::show_schema,
    write::validate_profile,
    preview::preview_profile,
    actions::pause_profile,
    actions::resume_profile,
    actions::run_profile,
    actions::roll_back_profile,
    replay::replay_profile,
    pin::pin_profile,
    read::list_versions,
    retention::show_retention,
    read::list_profiles,
    write::create_profile,
    read::show_profile,
    write::replace_profile,
    write::delete_profile,
);

/// Tells the coordinator that profiles changed, so that what follows a write, such as `:run`, meets it. It would see by
/// itself a little later: the write stands whether this arrives or not.
async fn announce(clients: &Clients, tenant: TenantId) {
    match timeout(ANNOUNCE_TIMEOUT, clients.coordinator.ask(ProfilesChanged { tenant })).await {
        Ok(Ok(_)) => {}
        Ok(Err(fault)) => tracing::debug!(%fault, "the coordinator was not told of a changed profile"),
        Err(_) => tracing::debug!("the coordinator was not told of a changed profile in time"),
    }
}
