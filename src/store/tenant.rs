//! The store as one tenant sees it. This is the one place where a query is bound to its tenant: every method resolves
//! the tenant first and hands the engine the result, and the engine has no way to come by a tenant itself.

use std::ops::ControlFlow;

use super::enrolment::{Enrolment, KeyChange, KnownKey, NewInvite};
use super::error::StoreError;
use super::retention::{Horizon, RetentionPass, expired_of_run};
use super::transfer::{self, BatchLine, Sink, Totals};
use super::types::{EnabledProfile, NewVersion, SavedDrone};
use super::{Engine, held, history, on_engine, rejects};
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId, RunId, TenantId};
use crate::domain::retention::Retention;
use crate::protocol::aggregator::{
    Receipt, RecordFilter, RecordRow, RejectsPage, RetentionPlan, RetentionView, RunFilter, RunView, Summary, Versions,
};
use crate::protocol::batch::Batch;
use crate::protocol::coordinator::{ReplayOf, ReplayRequest, RunRequest};
use crate::protocol::enrolment::{DroneKeyView, InviteView};
use crate::protocol::paging::{Page, PageRequest};
use crate::protocol::registry::{ProfileSummary, ProfileView, PutMode, VersionView};
use crate::protocol::reporter::{ReportSummary, ReportView};

/// One tenant's rows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TenantStore {
    engine: Engine,
    tenant: TenantId,
}

/// `read!(self, method(args))`: the engine's method on this tenant, which need not exist yet.
macro_rules! read {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        on_engine!(&$self.engine, engine => {
            let tenant = engine.tenant_to_read(&$self.tenant).await?;
            engine.$method(tenant, $($argument),*).await
        })
    };
}

/// As `read!`, by a function that is the same for every engine.
macro_rules! read_by {
    ($self:ident, $function:path, $($argument:expr),*) => {
        on_engine!(&$self.engine, engine => {
            let tenant = engine.tenant_to_read(&$self.tenant).await?;
            $function(engine.as_ref(), tenant, $($argument),*).await
        })
    };
}

/// As `read!`, creating the tenant with its first write.
macro_rules! write {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        on_engine!(&$self.engine, engine => {
            let tenant = engine.tenant_to_write(&$self.tenant).await?;
            engine.$method(tenant, $($argument),*).await
        })
    };
}

impl TenantStore {
    pub(super) fn new(engine: Engine, tenant: TenantId) -> Self {
        Self { engine, tenant }
    }

    /// Keeps a version and makes it the current one. The same digest as the current one changes nothing. With
    /// `if_match`, only where that is the current version.
    pub async fn put_profile(
        &self,
        version: NewVersion,
        mode: PutMode,
        if_match: Option<Digest>,
        now_ms: i64,
    ) -> Result<ProfileView, StoreError> {
        write!(self, put_profile(version, mode, if_match, now_ms))
    }

    /// The current version, or the one of that digest.
    pub async fn profile(&self, id: &ProfileId, digest: Option<&Digest>) -> Result<ProfileView, StoreError> {
        read!(self, profile(id, digest))
    }

    /// By id; the cursor is the last id of the page.
    pub async fn profiles(
        &self,
        enabled: Option<bool>,
        page: &PageRequest,
    ) -> Result<Page<ProfileSummary>, StoreError> {
        read!(self, profiles(enabled, page))
    }

    /// Hides a profile and its versions; records and runs stay. Putting it again brings it back.
    pub async fn delete_profile(&self, id: &ProfileId, now_ms: i64) -> Result<(), StoreError> {
        read!(self, delete_profile(id.clone(), now_ms))
    }

    /// Every version, the latest put first.
    pub async fn versions(&self, id: &ProfileId) -> Result<Vec<VersionView>, StoreError> {
        read!(self, versions(id))
    }

    /// Pausing survives new versions.
    pub async fn set_paused(&self, id: &ProfileId, paused: bool) -> Result<ProfileSummary, StoreError> {
        read!(self, set_paused(id.clone(), paused))
    }

    /// Makes an earlier version current again: that of the digest, or the one put before the current one.
    pub async fn roll_back(&self, id: &ProfileId, to: Option<Digest>, now_ms: i64) -> Result<ProfileView, StoreError> {
        read!(self, roll_back(id.clone(), to, now_ms))
    }

    /// Profiles that should run, with their current versions, by id.
    pub async fn enabled_profiles(&self) -> Result<Vec<EnabledProfile>, StoreError> {
        read!(self, enabled_profiles())
    }

    /// Grows with every change of a profile; cheap to ask.
    pub async fn profiles_revision(&self) -> Result<i64, StoreError> {
        read!(self, profiles_revision())
    }

    /// Inserts or refreshes a drone; the time of its first registration stays.
    pub async fn save_drone(&self, drone: SavedDrone) -> Result<(), StoreError> {
        write!(self, save_drone(drone))
    }

    /// All drones, by id.
    pub async fn drones(&self) -> Result<Vec<SavedDrone>, StoreError> {
        read!(self, drones())
    }

    /// Notes when drones were last heard of. Unknown ones are passed over.
    pub async fn touch_drones(&self, seen: &[(DroneId, i64)]) -> Result<(), StoreError> {
        read!(self, touch_drones(seen.to_vec()))
    }

    pub async fn set_draining(&self, drone: &DroneId, draining: bool) -> Result<(), StoreError> {
        read!(self, set_draining(drone.clone(), draining))
    }

    /// Keeps a token; gives its id. At most 1,000 are kept.
    pub async fn add_invite(&self, invite: NewInvite) -> Result<i64, StoreError> {
        write!(self, add_invite(invite))
    }

    /// Tokens, the newest first.
    pub async fn invites(&self) -> Result<Vec<InviteView>, StoreError> {
        read!(self, invites())
    }

    /// Nobody joins with it from now on; those that have, stay.
    pub async fn withdraw_invite(&self, id: i64, now_ms: i64) -> Result<InviteView, StoreError> {
        read!(self, withdraw_invite(id, now_ms))
    }

    /// Gives a drone its key, and takes one use of the token. The same again changes nothing.
    pub async fn enrol(&self, enrolment: Enrolment, now_ms: i64) -> Result<(), StoreError> {
        read!(self, enrol(enrolment, now_ms))
    }

    /// Whose key it is; none where it is nobody's.
    pub async fn known_key(&self, key: &Digest) -> Result<Option<KnownKey>, StoreError> {
        read!(self, known_key(*key))
    }

    pub async fn change_key(&self, drone: &DroneId, change: KeyChange) -> Result<(), StoreError> {
        read!(self, change_key(drone.clone(), change))
    }

    /// Keys of the drones from `first` to `last`, by id; drones without a key of their own are left out.
    pub async fn drone_keys(
        &self,
        first: &DroneId,
        last: &DroneId,
    ) -> Result<Vec<(DroneId, DroneKeyView)>, StoreError> {
        read!(self, drone_keys(first.clone(), last.clone()))
    }

    /// Keeps a profile on one drone, or on none in particular.
    pub async fn set_pin(&self, profile: &ProfileId, drone: Option<&DroneId>) -> Result<(), StoreError> {
        read!(self, set_pin(profile.clone(), drone.cloned()))
    }

    /// Profiles that are kept on one drone, by id.
    pub async fn pins(&self) -> Result<Vec<(ProfileId, DroneId)>, StoreError> {
        read!(self, pins())
    }

    /// Takes drones out for good. What they delivered stays; unknown ones are passed over.
    pub async fn forget_drones(&self, drones: &[DroneId]) -> Result<(), StoreError> {
        read!(self, forget_drones(drones.to_vec()))
    }

    /// Asks for a run by hand; gives the request's id. At most 1,000 may wait.
    pub async fn add_run_request(&self, profile: &ProfileId, now_ms: i64) -> Result<i64, StoreError> {
        read!(self, add_run_request(profile.clone(), now_ms))
    }

    /// Requests that are not finished, the oldest first.
    pub async fn run_requests(&self) -> Result<Vec<RunRequest>, StoreError> {
        read!(self, run_requests())
    }

    /// Forgets requests that were carried out; unknown ids are passed over.
    pub async fn finish_run_requests(&self, requests: &[i64]) -> Result<(), StoreError> {
        read!(self, finish_run_requests(requests.to_vec()))
    }

    /// Asks each of `drones` to replay what it keeps, by the profile's current version.
    pub async fn add_replay_requests(
        &self,
        profile: &ProfileId,
        of: &ReplayOf,
        drones: Vec<DroneId>,
        now_ms: i64,
    ) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        read!(self, add_replay_requests(profile.clone(), of.clone(), drones, now_ms))
    }

    /// Replay requests that are not finished, the oldest first, each with its drone.
    pub async fn replay_requests(&self) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        read!(self, replay_requests())
    }

    /// Forgets replay requests that were carried out; unknown ids are passed over.
    pub async fn finish_replay_requests(&self, requests: &[i64]) -> Result<(), StoreError> {
        read!(self, finish_replay_requests(requests.to_vec()))
    }

    /// A pass of retention over a profile, which removes nothing until its steps are called for.
    pub async fn begin_retention(
        &self,
        profile: &ProfileId,
        rule: Retention,
        now_ms: i64,
    ) -> Result<RetentionPass, StoreError> {
        let row: i64 = read!(self, row_of(profile))?;
        RetentionPass::begin(self.engine.clone(), row, rule, now_ms).await
    }

    /// What a pass would remove, and what passes have removed so far.
    pub async fn retention(
        &self,
        profile: &ProfileId,
        rule: Retention,
        now_ms: i64,
    ) -> Result<RetentionView, StoreError> {
        let row: i64 = read!(self, row_of(profile))?;
        let plan = match rule.keeps_all() {
            true => RetentionPlan::default(),
            false => self.begin_retention(profile, rule, now_ms).await?.plan().await?,
        };
        let (expired, horizon_ms) = on_engine!(&self.engine, engine => engine.expired_of(row).await)?;
        Ok(RetentionView { profile_id: profile.clone(), rule, would_remove: plan, expired, horizon_ms })
    }

    /// Refuses a read of a time at which something stood that retention has removed.
    async fn is_whole_at(&self, profile: Option<&ProfileId>, as_of_ms: i64) -> Result<(), StoreError> {
        let found: Option<Horizon> = read!(self, horizon_after(profile, as_of_ms))?;
        let refuse =
            |at: Horizon| Err(StoreError::Expired { profile: at.profile, as_of_ms, horizon_ms: at.horizon_ms });
        found.map_or(Ok(()), refuse)
    }

    /// Stores a batch, once however often it comes. `Ok` means committed.
    pub async fn store_batch(&self, batch: Batch, now_ms: i64) -> Result<Receipt, StoreError> {
        read!(self, store_batch(batch, now_ms))
    }

    /// Records in the order of arrival. `run_id`, `drone_id` and `since_ms` speak of the first sighting. A filtered
    /// page may be short, or empty, and still have a `next`. Records that only replaced runs saw (a later replay of their
    /// answers ended well) are left out, unless `run_id` asks for a run.
    pub async fn records(&self, filter: &RecordFilter, page: &PageRequest) -> Result<Page<RecordRow>, StoreError> {
        if let Versions::AsOf(time_ms) = filter.versions {
            self.is_whole_at(filter.profile_id.as_ref(), time_ms).await?;
        }
        read!(self, records(filter, page))
    }

    /// The versions of one observation, the earliest first; `dims` are all dims of the profile's key.
    pub async fn history(
        &self,
        profile: &ProfileId,
        dims: &[(String, String)],
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        read_by!(self, history::page_of, profile, dims, page)
    }

    /// What runs saw, batch by batch in the order of arrival; a run sees a record once. A filtered page may be short,
    /// or empty, and still have a `next`.
    pub async fn results(&self, filter: &RecordFilter, page: &PageRequest) -> Result<Page<RecordRow>, StoreError> {
        read!(self, results(filter, page))
    }

    /// Runs, the newest first.
    pub async fn runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<RunView>, StoreError> {
        read!(self, runs(filter, page))
    }

    /// A run, and how many of the records that it saw were removed since.
    pub async fn run(&self, run_id: &RunId) -> Result<RunView, StoreError> {
        let run: RunView = read!(self, run(run_id))?;
        let expired: u64 = on_engine!(&self.engine, engine => {
            let tenant = engine.tenant_to_read(&self.tenant).await?;
            expired_of_run(engine.as_ref(), tenant, run_id).await?
        });
        Ok(RunView { expired: (expired > 0).then_some(expired), ..run })
    }

    /// The rows of a run that failed: counts, and a page of those that were kept.
    pub async fn rejects(&self, run_id: &RunId, page: &PageRequest) -> Result<RejectsPage, StoreError> {
        read_by!(self, rejects::page_of, run_id, page)
    }

    /// Stores the records of a run that waits in quarantine, or gives them up. The same again changes nothing.
    pub async fn settle_run(&self, run_id: &RunId, release: bool, now_ms: i64) -> Result<RunView, StoreError> {
        read_by!(self, held::settle, run_id, release, now_ms)?;
        self.run(run_id).await
    }

    /// Counts, kept and not counted: the cost does not grow with the number of records.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        read!(self, summary())
    }

    /// Hands every record of a profile that stands, now or as of a time in Unix milliseconds, to `on_record`: as
    /// canonical JSON text, in the order of arrival, until it breaks; where kept answers were replayed, in the order in
    /// which the source was asked. Memory does not grow with the number of records.
    pub async fn scan_records(
        &self,
        profile: &ProfileId,
        as_of_ms: Option<i64>,
        on_record: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if let Some(time_ms) = as_of_ms {
            self.is_whole_at(Some(profile), time_ms).await?;
        }
        read!(self, scan_records(profile, as_of_ms, on_record))
    }

    /// Keeps a report; the same id again changes nothing. The oldest beyond the bound go.
    pub async fn save_report(
        &self,
        report_id: &str,
        now_ms: i64,
        spec_json: &str,
        result_json: &str,
    ) -> Result<(), StoreError> {
        write!(self, save_report((report_id.to_owned(), spec_json.to_owned(), result_json.to_owned()), now_ms))
    }

    pub async fn report(&self, report_id: &str) -> Result<ReportView, StoreError> {
        read!(self, report(report_id))
    }

    /// Kept reports without their rows, the newest first.
    pub async fn reports(&self, page: &PageRequest) -> Result<Page<ReportSummary>, StoreError> {
        read!(self, reports(page))
    }

    /// Hands the tenant's store to `sink` as lines of an export.
    pub(super) async fn export_lines(&self, sink: Sink<'_>) -> Result<Totals, StoreError> {
        read_by!(self, transfer::read_lines, sink)
    }

    /// Stores a batch of an export, once however often it comes.
    pub(super) async fn import_batch(&self, line: BatchLine) -> Result<(), StoreError> {
        read_by!(self, transfer::store_line, line)
    }
}
