//! Retention beside the load: looks at every profile now and then, and lets go what its rule, or the node's, says, a
//! few rows at a time. It gives way to whatever waits for the writer. What goes, and why, is the store's business.

use std::time::Duration;

use tokio::time::sleep;

use crate::domain::ids::{ProfileId, TenantId};
use crate::domain::retention::Retention;
use crate::profiles;
use crate::protocol::paging::PageRequest;
use crate::protocol::registry::ProfileView;
use crate::runtime::Clock;
use crate::store::{Removed, Store, StoreError, TenantStore};

/// Profiles that are listed at a time.
const PAGE: u32 = 500;
/// A step is put off so many pauses for what waits, then it has its turn.
const MAX_WAITS: u32 = 100;

/// How a pass goes about it.
#[derive(Debug, Clone)]
pub struct Pace {
    /// What holds where a profile says nothing.
    pub usual: Retention,
    pub step_rows: usize,
    pub pause: Duration,
}

#[derive(Debug, Clone)]
pub struct Retainer {
    pub store: Store,
    pub clock: Clock,
    pub pace: Pace,
}

impl Retainer {
    /// One pass over all profiles. What fails is told and tried again with the next.
    pub async fn pass(&self) {
        let outcome = self.over_all().await;
        let now_ms = self.clock.now_ms();
        self.store.note_retention(|vitals| {
            vitals.working_on = None;
            vitals.passes += 1;
            vitals.last_pass_ms = Some(now_ms);
            vitals.last_error = outcome.as_ref().err().map(ToString::to_string);
        });
        if let Err(error) = outcome {
            tracing::warn!(%error, "a pass of retention ended early; the next one goes on");
        }
    }

    async fn over_all(&self) -> Result<(), StoreError> {
        for tenant in self.store.tenants().await? {
            self.over_tenant(&tenant).await?;
        }
        Ok(())
    }

    async fn over_tenant(&self, name: &TenantId) -> Result<(), StoreError> {
        let tenant = self.store.tenant(name);
        let mut cursor = None;
        loop {
            let page = tenant.profiles(None, &PageRequest { limit: Some(PAGE), cursor }).await?;
            for profile in &page.items {
                let rule = rule_of(&tenant.profile(&profile.id, None).await?, &self.pace.usual);
                if !rule.keeps_all() {
                    self.over_profile(&tenant, &profile.id, rule).await?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn over_profile(&self, tenant: &TenantStore, id: &ProfileId, rule: Retention) -> Result<(), StoreError> {
        self.store.note_retention(|vitals| vitals.working_on = Some(id.to_string()));
        let mut pass = tenant.begin_retention(id, rule, self.clock.now_ms()).await?;
        let mut all = Removed::default();
        while let Some(removed) = pass.step(self.pace.step_rows).await? {
            all.add(removed);
            self.store.note_retention(|vitals| {
                vitals.records_removed += removed.records;
                vitals.runs_removed += removed.runs;
            });
            self.give_way().await;
        }
        if all != Removed::default() {
            tracing::info!(profile = %id, records = all.records, runs = all.runs, "retention removed what was let go");
        }
        Ok(())
    }

    /// Pauses, and then for as long as somebody waits for the writer, within reason.
    async fn give_way(&self) {
        for _ in 0..MAX_WAITS {
            sleep(self.pace.pause).await;
            if self.store.vitals().queued == 0 {
                return;
            }
        }
    }
}

/// The rule of a profile; what it does not say is as `usual`.
pub(super) fn rule_of(profile: &ProfileView, usual: &Retention) -> Retention {
    // Most say nothing of it, and a text is read only where it may.
    let own = if profile.yaml.contains("retention") { profiles::load(&profile.yaml).ok() } else { None };
    own.map_or(*usual, |own| own.retention().or(usual))
}
