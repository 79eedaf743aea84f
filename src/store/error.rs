//! What can go wrong in a store, in words for the operator, and which fault of the protocol it is. Knows no engine:
//! each engine translates its own errors into these.

use std::io;
use std::path::Path;

use sqlx::migrate::MigrateError;
use thiserror::Error;

use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::moment;
use crate::protocol::fault::{Code, Fault};

/// How the operator knows the database where its name is not at hand.
pub(super) const THIS_DATABASE: &str = "the database";

/// Why a store did not do what it was asked. Cloned to all writes of a group that failed together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("there is no profile {0:?}; create it first (PUT /api/profiles/{0})")]
    UnknownProfile(ProfileId),
    #[error("profile {profile:?} has no version {digest}; its versions are listed at /api/profiles/{profile}/versions")]
    UnknownVersion { profile: ProfileId, digest: Digest },
    #[error("profile {0:?} has no version before the current one")]
    NoEarlierVersion(ProfileId),
    #[error("profile {0:?} has no key, so its records have no versions; name the dims of an observation in its key")]
    NoKey(ProfileId),
    #[error(
        "profile {profile:?} is not whole as of {} any more: its retention has removed records that stood then; ask as \
         of {} or later", moment::shown(*as_of_ms), moment::shown(*horizon_ms)
    )]
    Expired { profile: ProfileId, as_of_ms: i64, horizon_ms: i64 },
    #[error("there is no drone {0:?}; it must register first")]
    UnknownDrone(DroneId),
    #[error("there is no run {0:?}")]
    UnknownRun(RunId),
    #[error("run {run:?} does not wait in quarantine: {now}")]
    NotQuarantined { run: RunId, now: String },
    #[error("there is no report {0:?}; it never was, or newer ones have taken its place")]
    UnknownReport(String),
    #[error("profile {0:?} exists; replace it with PUT, or choose another id")]
    ProfileExists(ProfileId),
    #[error("profile {profile:?} is now at {}; read it again and repeat the change on that", shown(current.as_ref()))]
    VersionConflict { profile: ProfileId, current: Option<Digest> },
    #[error("run {run:?} belongs to profile {owner:?}; a run is of one profile, take a new run_id")]
    RunConflict { run: RunId, owner: ProfileId },
    #[error("run {run:?} holds another batch under {name}; resend the same content, or take the next seq")]
    BatchConflict { run: RunId, name: String },
    #[error("{0} runs wait already to be carried out; at most that many may, try again when some are done")]
    TooManyRunRequests(usize),
    #[error("{0} tokens are kept already; withdrawn and ended ones are forgotten 30 days after their end")]
    TooManyInvites(usize),
    #[error("there is no token {0}; GET /api/drones/invites lists them")]
    UnknownInvite(i64),
    #[error("the drone cannot join: {0}")]
    TokenRefused(String),
    #[error(
        "drone {0:?} has joined already and has its key; take another id (DRONE_ID), or revoke its key first \
         (chartly drone revoke {0})"
    )]
    DroneEnrolled(DroneId),
    #[error("drone {0:?} has no key of its own; it works with the shared one, or its key was revoked")]
    NoOwnKey(DroneId),
    #[error("{0}")]
    Page(Fault),

    #[error("the store has {waiting} writes waiting, as many as it may; send again in {retry_after_s} s")]
    Overloaded { waiting: usize, retry_after_s: u32 },
    #[error("a batch of {bytes} bytes (compressed) does not fit into a spool of {max_bytes}; give the spool more room")]
    TooLarge { bytes: u64, max_bytes: u64 },
    #[error(
        "the spool holds as much as it may ({max_bytes} bytes), and is set to refuse what is new; nothing was fetched"
    )]
    SpoolFull { max_bytes: u64 },
    #[error("the store is closed")]
    Closed,
    #[error("the store's writer failed on this write ({0}); nothing of it was stored, it may be sent again")]
    Crashed(String),
    #[error(
        "it is unknown whether the write was stored ({0}); send it again, a batch is stored once however often it comes"
    )]
    OutcomeUnknown(String),

    #[error("{path} is locked by another process; stop that process, or give this one its own data folder")]
    Locked { path: String },
    #[error("the database was busy for too long ({0}); another process holds it, try again")]
    Busy(String),
    #[error("another process wrote the same at that moment ({0}); nothing of it was stored, send it again")]
    Raced(String),
    #[error("the disk is full ({0}); free some space, the store goes on by itself")]
    DiskFull(String),
    #[error("the database cannot be written ({0}); check owner and mode of the data folder, and how it is mounted")]
    ReadOnly(String),
    #[error("reading or writing the database failed ({0}); check the disk and its mount")]
    Io(String),
    #[error("{path} is damaged ({reason}); nothing was changed. Restore a backup, or move the file away to begin anew")]
    Damaged { path: String, reason: String },
    #[error("{path} is not a database of this program ({reason}); nothing was changed. Give another data folder")]
    Foreign { path: String, reason: String },
    #[error("{path} is not there, or holds nothing")]
    NoDatabase { path: String },
    #[error("{path} exists and was left as it is; give another place, or say --overwrite")]
    Exists { path: String },
    #[error("{path} is no good backup ({reason}); nothing was changed, take another one")]
    BadBackup { path: String, reason: String },
    #[error("{path} cannot be imported ({reason}); nothing of it was stored, export it again")]
    BadExport { path: String, reason: String },
    #[error("{path} was written by a newer release (migration {found}); run that release, or restore a backup")]
    Newer { path: String, found: i64 },
    #[error("the database did not answer as it should ({0})")]
    Engine(String),

    #[error(
        "the database server cannot be reached ({0}); see that it runs and that store.url names it, the store goes on \
         by itself when it answers"
    )]
    Unreachable(String),
    #[error(
        "the database server refused the login ({0}); check the user in store.url, store.password, and pg_hba.conf"
    )]
    Login(String),
    #[error("the database user may not do this ({0}); let the user own the database, or grant it the schema")]
    NoRights(String),
    #[error("{found} is too old; {needed} or later is needed")]
    TooOld { found: String, needed: &'static str },
    #[error("the database cannot hold the store: {0}")]
    Unfit(String),
}

fn shown(digest: Option<&Digest>) -> String {
    digest.map_or_else(|| "no version at all".to_owned(), ToString::to_string)
}

impl StoreError {
    /// True where the write itself was refused and wrote nothing: the transaction around it can go on.
    pub(super) fn is_refusal(&self) -> bool {
        !matches!(self.code(), Code::StoreFailed | Code::Overloaded | Code::Unavailable | Code::Crashed)
    }

    /// True where it is no single write's fault: others of its group would fare the same.
    pub(super) fn is_of_all(&self) -> bool {
        matches!(self, Self::OutcomeUnknown(_) | Self::Unreachable(_) | Self::Login(_))
    }

    /// An error of the file system, met while `doing` something.
    pub(super) fn of_io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let text = format!("{doing} {}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly(text),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(text),
            _ => Self::Io(text),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::UnknownProfile(_) => Code::UnknownProfile,
            Self::UnknownVersion { .. } | Self::NoEarlierVersion(_) => Code::NotFound,
            Self::NoKey(_) => Code::InvalidRequest,
            Self::Expired { .. } => Code::Expired,
            Self::UnknownDrone(_) => Code::UnknownDrone,
            Self::UnknownRun(_) => Code::UnknownRun,
            Self::NotQuarantined { .. } => Code::NotQuarantined,
            Self::UnknownReport(_) => Code::UnknownReport,
            Self::ProfileExists(_) => Code::ProfileExists,
            Self::VersionConflict { .. } => Code::VersionConflict,
            Self::RunConflict { .. } => Code::RunConflict,
            Self::BatchConflict { .. } => Code::BatchConflict,
            Self::TooManyRunRequests(_) | Self::TooManyInvites(_) => Code::TooManyRequests,
            Self::UnknownInvite(_) | Self::NoOwnKey(_) => Code::NotFound,
            Self::TokenRefused(_) => Code::TokenRefused,
            Self::DroneEnrolled(_) => Code::DroneEnrolled,
            Self::Page(fault) => fault.code,
            Self::Overloaded { .. } => Code::Overloaded,
            Self::TooLarge { .. } => Code::BodyTooLarge,
            // Nothing was written, so it may be sent again whatever it is.
            Self::Closed | Self::Unreachable(_) | Self::Login(_) | Self::Raced(_) => Code::Unavailable,
            Self::Crashed(_) => Code::Crashed,
            _ => Code::StoreFailed,
        }
    }

    fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Overloaded { retry_after_s, .. } => Some(*retry_after_s),
            Self::TooManyRunRequests(_) | Self::DiskFull(_) => Some(10),
            Self::Busy(_) | Self::OutcomeUnknown(_) | Self::Crashed(_) => Some(1),
            Self::Unreachable(_) | Self::Login(_) => Some(2),
            Self::Raced(_) => Some(1),
            _ => None,
        }
    }
}

/// Both engines are reached by one library; which of them spoke is told by the kind of its answer.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(told) = &error else { return super::postgres::of_connection(&error) };
        match told.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            Some(told) => super::postgres::of_state(told),
            None => super::sqlite::of_code(told.as_ref()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(found) => Self::Newer { path: THIS_DATABASE.into(), found },
            MigrateError::VersionMismatch(found) => {
                let reason = format!("migration {found} is not the one this release knows");
                Self::Foreign { path: THIS_DATABASE.into(), reason }
            }
            MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => inner.into(),
            other => Self::Engine(other.to_string()),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Page(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::Page(fault) = error {
            return fault;
        }
        let mut fault = Self::new(error.code(), error.to_string());
        fault.retry_after_s = error.retry_after_s();
        match error {
            StoreError::UnknownProfile(_) | StoreError::NoKey(_) => fault.at("profile_id"),
            StoreError::RunConflict { .. } => fault.at("run_id"),
            StoreError::BatchConflict { .. } => fault.at("seq"),
            StoreError::Expired { .. } => fault.at("as_of"),
            _ => fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_place_and_the_mend() {
        let fault = Fault::from(StoreError::UnknownProfile(ProfileId::parse("abc").unwrap()));
        assert_eq!((fault.code, fault.places[0].at.as_str()), (Code::UnknownProfile, "profile_id"));
        assert!(fault.detail.contains("PUT /api/profiles/abc"), "{}", fault.detail);
    }

    #[test]
    fn a_full_queue_says_when_to_come_again() {
        let fault = Fault::from(StoreError::Overloaded { waiting: 256, retry_after_s: 1 });
        assert_eq!((fault.code, fault.retry_after_s), (Code::Overloaded, Some(1)));
    }

    #[test]
    fn only_refusals_leave_the_transaction_usable() {
        assert!(StoreError::UnknownProfile(ProfileId::parse("abc").unwrap()).is_refusal());
        for broken in [StoreError::DiskFull(String::new()), StoreError::Crashed(String::new()), StoreError::Closed] {
            assert!(!broken.is_refusal(), "{broken}");
        }
    }
}
