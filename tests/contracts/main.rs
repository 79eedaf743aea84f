//! The contract of every message of every role, written once and held by both sides of the seam: a mailbox in this
//! process, and the same role in another process over HTTP. What the two answer is compared word for word.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod aggregator;
mod answers;
mod coordinator;
mod enrolment;
mod mailbox;
mod registry;
mod reporter;
mod sides;
mod strangers;

use chartly::protocol;
use chartly::protocol::call::Call;

/// `contracts! { registry: get_profile GetProfile; }` holds both sides to the contract `registry::get_profile`.
macro_rules! contracts {
    ($($role:ident: $($contract:ident $message:ident),+;)+) => {
        /// Routes of the messages that have a contract.
        const COVERED: &[&str] = &[$($(<protocol::$role::$message as Call>::ROUTE),+),+];

        $($(
            #[actix_web::test]
            async fn $contract() {
                sides::compare(<protocol::$role::$message as Call>::ROUTE, $role::$contract).await;
            }
        )+)+
    };
}

contracts! {
    registry:
        list_profiles ListProfiles, get_profile GetProfile, put_profile PutProfile, delete_profile DeleteProfile,
        list_versions ListVersions, set_paused SetPaused, roll_back RollBack, validate_profile ValidateProfile,
        list_broken_files ListBrokenFiles;
    coordinator:
        register Register, heartbeat Heartbeat, get_work GetWork, list_drones ListDrones, get_drone GetDrone,
        get_drone_stats GetDroneStats, drain_drone DrainDrone, run_now RunNow, replay Replay, profiles_changed ProfilesChanged,
        pin_profile PinProfile, get_placement GetPlacement;
    enrolment:
        invite Invite, list_invites ListInvites, withdraw_invite WithdrawInvite, enrol Enrol, check_key CheckKey, check_own_key CheckOwnKey,
        ask_rotation AskRotation, set_next_key SetNextKey, revoke_key RevokeKey;
    aggregator:
        store_batch StoreBatch, list_records ListRecords, list_results ListResults, get_history GetHistory,
        list_runs ListRuns, get_run GetRun, get_summary GetSummary, list_rejects ListRejects, settle_run SettleRun,
        get_retention GetRetention;
    reporter:
        run_report RunReportSpec, get_report GetReport, list_reports ListReports;
}

/// A message that is added to the protocol without a contract fails here.
#[test]
fn every_message_has_a_contract() {
    let sources = [
        include_str!("../../src/protocol/registry.rs"),
        include_str!("../../src/protocol/coordinator.rs"),
        include_str!("../../src/protocol/enrolment.rs"),
        include_str!("../../src/protocol/aggregator.rs"),
        include_str!("../../src/protocol/reporter.rs"),
    ];
    let words = sources.iter().flat_map(|source| source.split('"'));
    let mut declared: Vec<&str> = words.filter(|word| word.starts_with("/internal/")).collect();
    let mut covered = COVERED.to_vec();
    declared.sort_unstable();
    covered.sort_unstable();
    assert_eq!(covered, declared);
}
