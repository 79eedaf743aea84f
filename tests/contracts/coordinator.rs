//! What the coordinator answers.

use std::collections::{BTreeMap, BTreeSet};

use chartly::domain::fleet::DroneState;
use chartly::domain::ids::{DroneId, RunId, TenantId};
use chartly::protocol::coordinator::{
    Beat, DrainDrone, DroneHello, GetDrone, GetDroneStats, GetPlacement, GetWork, Heartbeat, ListDrones, PinProfile,
    ProfilesChanged, Register, Registered, Replay, ReplayOf, ReplayRequest, RunNow, Work,
};
use chartly::protocol::fault::Code;
use chartly::protocol::paging::PageRequest;
use chartly::protocol::registry::SetPaused;

use crate::answers::Answers;
use crate::registry::{id, put};
use crate::sides::{Side, built_in};

fn tenant() -> TenantId {
    TenantId::default()
}

fn elsewhere() -> TenantId {
    TenantId::parse("other").unwrap()
}

fn drone(text: &str) -> DroneId {
    DroneId::parse(text).unwrap()
}

fn hello(name: &str) -> DroneHello {
    DroneHello {
        drone_id: drone(name),
        version: "1.2.3".into(),
        labels: BTreeMap::from([("region".into(), "eu".into())]),
        clock_ms: Some(1_000),
        instance: Some("first".into()),
        secrets: Some(BTreeSet::from(["KEY".into()])),
        capacity: Some(10),
        weight: Some(2),
    }
}

async fn join(side: &Side, said: &mut Answers, name: &str) -> Registered {
    said.ask(&side.clients.coordinator, Register { tenant: tenant(), hello: hello(name) }).await.unwrap()
}

/// Stores a profile and lets the coordinator look at once.
async fn put_seen(side: &Side, said: &mut Answers, name: &str) {
    put(side, said, name).await;
    said.ask(&side.clients.coordinator, ProfilesChanged { tenant: tenant() }).await.unwrap();
}

async fn work(side: &Side, said: &mut Answers, name: &str) -> Work {
    said.ask(&side.clients.coordinator, GetWork { tenant: tenant(), drone_id: drone(name), seen: None }).await.unwrap()
}

pub async fn register(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let fleet = built_in().fleet;
    for _ in 0..2 {
        let registered = join(side, said, "d1").await;
        assert_eq!((registered.heartbeat_ms, registered.lease_ms), (fleet.heartbeat_ms, fleet.lease_ms));
    }
    let many = (0..33).map(|number| (format!("l{number}"), "x".to_owned())).collect();
    for labels in [many, BTreeMap::from([("region".to_owned(), "x".repeat(101))])] {
        let message = Register { tenant: tenant(), hello: DroneHello { labels, ..hello("d2") } };
        said.refused(coordinator, message, Code::InvalidRequest, &["labels"]).await;
    }
    said.refused(coordinator, Register { tenant: elsewhere(), hello: hello("d1") }, Code::NotFound, &[]).await;
    let refused = GetDrone { tenant: tenant(), drone_id: drone("d2") };
    said.refused(coordinator, refused, Code::UnknownDrone, &[]).await;
}

fn beat(name: &str) -> Beat {
    Beat {
        drone_id: drone(name),
        clock_ms: None,
        profiles: 1,
        running: 2,
        spooled: 3,
        spool_dropped: 4,
        done_requests: vec![],
        done_replays: vec![],
        kept_runs: 5,
        kept_bytes: 6,
        instance: None,
        number: 0,
    }
}

pub async fn heartbeat(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let message = |beat| Heartbeat { tenant: tenant(), beat };
    assert!(!said.ask(coordinator, message(beat("d1"))).await.unwrap().known);
    join(side, said, "d1").await;
    let before = said.ask(coordinator, message(beat("d1"))).await.unwrap();
    assert!(before.known);
    put_seen(side, said, "p").await;
    let after = said.ask(coordinator, message(beat("d1"))).await.unwrap();
    assert!(after.revision > before.revision, "{before:?} then {after:?}");
    let seen = said.ask(coordinator, GetDrone { tenant: tenant(), drone_id: drone("d1") }).await.unwrap();
    assert_eq!((seen.running, seen.spooled, seen.spool_dropped, seen.clock_skew_ms), (2, 3, 4, None));
    assert_eq!((seen.kept_runs, seen.kept_bytes), (5, 6));

    let asked = said.ask(coordinator, RunNow { tenant: tenant(), profile_id: id("p") }).await.unwrap();
    let done = Beat { done_requests: vec![asked.request_id, 999], ..beat("d1") };
    said.ask(coordinator, message(done)).await.unwrap();
    assert_eq!(work(side, said, "d1").await.run_now, []);
    let stranger = Heartbeat { tenant: elsewhere(), beat: beat("d1") };
    said.refused(coordinator, stranger, Code::NotFound, &[]).await;
}

pub async fn get_work(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let unknown = GetWork { tenant: tenant(), drone_id: drone("d1"), seen: None };
    let fault = said.refused(coordinator, unknown, Code::UnknownDrone, &[]).await;
    assert!(fault.detail.contains("d1"), "{fault}");
    join(side, said, "d1").await;
    assert_eq!(work(side, said, "d1").await.assignments, []);
    let view = put(side, said, "p").await;
    put_seen(side, said, "q").await;
    let all = work(side, said, "d1").await;
    let ids: Vec<_> = all.assignments.iter().map(|one| one.profile_id.as_str()).collect();
    assert_eq!((ids, all.assignments[0].digest), (vec!["p", "q"], view.summary.digest));

    join(side, said, "d2").await;
    let parts = [work(side, said, "d1").await, work(side, said, "d2").await];
    let counts: Vec<_> = parts.iter().map(|part| part.assignments.len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 2, "each profile on exactly one drone: {parts:?}");
}

pub async fn list_drones(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let list = |limit, cursor: Option<String>| ListDrones { tenant: tenant(), page: PageRequest { limit, cursor } };
    assert_eq!(said.ask(coordinator, list(None, None)).await.unwrap().items, []);
    for name in ["d3", "d1", "d2"] {
        join(side, said, name).await;
    }
    let first = said.ask(coordinator, list(Some(2), None)).await.unwrap();
    let second = said.ask(coordinator, list(Some(2), first.next.clone())).await.unwrap();
    let ids: Vec<_> = first.items.iter().chain(&second.items).map(|one| one.drone_id.as_str()).collect();
    assert_eq!((ids, second.next), (vec!["d1", "d2", "d3"], None));
    said.refused(coordinator, list(Some(0), None), Code::InvalidRequest, &["limit"]).await;
}

pub async fn get_drone(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let get = || GetDrone { tenant: tenant(), drone_id: drone("d1") };
    said.refused(coordinator, get(), Code::UnknownDrone, &[]).await;
    join(side, said, "d1").await;
    put_seen(side, said, "p").await;
    let seen = said.ask(coordinator, get()).await.unwrap();
    assert_eq!((seen.state, seen.version.as_str(), seen.assigned), (DroneState::Online, "1.2.3", 1));
    assert_eq!(seen.labels, hello("d1").labels);
    assert!(seen.clock_skew_ms.is_some_and(|skew| skew < -1_000_000), "its clock stands in 1970: {seen:?}");
    said.refused(coordinator, GetDrone { tenant: elsewhere(), ..get() }, Code::NotFound, &[]).await;
}

pub async fn get_drone_stats(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let stats = || GetDroneStats { tenant: tenant() };
    put_seen(side, said, "p").await;
    let alone = said.ask(coordinator, stats()).await.unwrap();
    assert_eq!((alone.online, alone.assigned_profiles, alone.unassigned_profiles), (0, 0, 1));
    join(side, said, "d1").await;
    join(side, said, "d2").await;
    said.ask(coordinator, RunNow { tenant: tenant(), profile_id: id("p") }).await.unwrap();
    let drain = DrainDrone { tenant: tenant(), drone_id: drone("d1"), draining: true };
    said.ask(coordinator, drain).await.unwrap();
    let now = said.ask(coordinator, stats()).await.unwrap();
    assert_eq!((now.online, now.draining, now.offline), (1, 1, 0));
    assert_eq!((now.assigned_profiles, now.unassigned_profiles, now.pending_run_requests), (1, 0, 1));
}

pub async fn drain_drone(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let drain = |draining| DrainDrone { tenant: tenant(), drone_id: drone("d1"), draining };
    said.refused(coordinator, drain(true), Code::UnknownDrone, &[]).await;
    join(side, said, "d1").await;
    put_seen(side, said, "p").await;
    assert_eq!(work(side, said, "d1").await.assignments.len(), 1);
    let drained = said.ask(coordinator, drain(true)).await.unwrap();
    assert_eq!((drained.state, drained.assigned), (DroneState::Draining, 0));
    join(side, said, "d1").await;
    assert_eq!(work(side, said, "d1").await.assignments, [], "joining again does not undo it");
    let back = said.ask(coordinator, drain(false)).await.unwrap();
    assert_eq!((back.state, back.assigned), (DroneState::Online, 1));
}

pub async fn pin_profile(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let pin = |profile: &str, to: Option<&str>| PinProfile {
        tenant: tenant(),
        profile_id: id(profile),
        drone_id: to.map(drone),
    };
    put_seen(side, said, "p").await;
    said.refused(coordinator, pin("p", Some("d1")), Code::UnknownDrone, &[]).await;
    for name in ["d1", "d2"] {
        join(side, said, name).await;
    }
    said.refused(coordinator, pin("q", Some("d1")), Code::UnknownProfile, &["profile_id"]).await;
    for name in ["d1", "d2"] {
        let pinned = said.ask(coordinator, pin("p", Some(name))).await.unwrap();
        assert_eq!(pinned.pinned_to, Some(drone(name)));
        assert_eq!(pinned.leases.iter().map(|lease| lease.drone_id.clone()).collect::<Vec<_>>(), [drone(name)]);
    }
    let free = said.ask(coordinator, pin("p", None)).await.unwrap();
    assert_eq!((free.pinned_to, free.leases.len()), (None, 1));
}

pub async fn get_placement(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let get = |profile: &str| GetPlacement { tenant: tenant(), profile_id: id(profile) };
    let unknown = said.ask(coordinator, get("p")).await.unwrap();
    assert_eq!((unknown.wanted, unknown.leases.len(), unknown.reason), (0, 0, None));
    put_seen(side, said, "p").await;
    let alone = said.ask(coordinator, get("p")).await.unwrap();
    assert_eq!(
        (alone.wanted, alone.reason.as_deref()),
        (1, Some("no drone takes work: none is online, or they drain"))
    );
    join(side, said, "d1").await;
    let placed = said.ask(coordinator, get("p")).await.unwrap();
    assert_eq!((placed.leases.len(), placed.reason), (1, None));
    said.refused(coordinator, GetPlacement { tenant: elsewhere(), ..get("p") }, Code::NotFound, &[]).await;
}

pub async fn run_now(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let run = || RunNow { tenant: tenant(), profile_id: id("p") };
    said.refused(coordinator, run(), Code::UnknownProfile, &[]).await;
    put_seen(side, said, "p").await;
    let early = said.ask(coordinator, run()).await.unwrap();
    assert_eq!(early.drone_id, None, "nobody is there yet");
    join(side, said, "d1").await;
    let second = said.ask(coordinator, run()).await.unwrap();
    assert_eq!(second.drone_id, Some(drone("d1")));
    assert_ne!(second.request_id, early.request_id);
    let waiting: Vec<_> = work(side, said, "d1").await.run_now.iter().map(|one| one.request_id).collect();
    assert_eq!(waiting, [early.request_id, second.request_id]);

    let pause = SetPaused { tenant: tenant(), id: id("p"), paused: true };
    said.ask(&side.clients.registry, pause).await.unwrap();
    said.ask(coordinator, ProfilesChanged { tenant: tenant() }).await.unwrap();
    said.refused(coordinator, run(), Code::UnknownProfile, &[]).await;
}

pub async fn replay(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let of = ReplayOf { since_ms: Some(5), until_ms: None, run_id: Some(RunId::parse("r1").unwrap()) };
    let replay = || Replay { tenant: tenant(), profile_id: id("p"), of: of.clone() };
    said.refused(coordinator, replay(), Code::UnknownProfile, &["profile_id"]).await;
    let view = put(side, said, "p").await;
    let away = said.refused(coordinator, replay(), Code::Unavailable, &[]).await;
    assert_eq!(away.retry_after_s, Some(30), "nobody is there who could keep answers");
    for name in ["d1", "d2"] {
        join(side, said, name).await;
    }
    let asked = said.ask(coordinator, replay()).await.unwrap();
    let drones: Vec<_> = asked.requests.iter().map(|one| one.drone_id.clone().unwrap()).collect();
    assert_eq!(drones, [drone("d1"), drone("d2")], "each drone is asked, whoever has the profile");
    let mine = work(side, said, "d2").await.replays;
    let request_id = asked.requests[1].request_id;
    let expected = ReplayRequest { request_id, profile_id: id("p"), digest: view.summary.digest, of: of.clone() };
    assert_eq!(mine, [expected]);
    let stats = || GetDroneStats { tenant: tenant() };
    assert_eq!(said.ask(coordinator, stats()).await.unwrap().pending_replays, 2);

    // A paused profile can be mended and replayed; another drone's request cannot be finished.
    let pause = SetPaused { tenant: tenant(), id: id("p"), paused: true };
    said.ask(&side.clients.registry, pause).await.unwrap();
    assert_eq!(said.ask(coordinator, replay()).await.unwrap().requests.len(), 2);
    let done = Beat { done_replays: vec![request_id, 999], ..beat("d1") };
    said.ask(coordinator, Heartbeat { tenant: tenant(), beat: done }).await.unwrap();
    assert_eq!(work(side, said, "d2").await.replays.len(), 2);
    let done = Beat { done_replays: vec![request_id], ..beat("d2") };
    said.ask(coordinator, Heartbeat { tenant: tenant(), beat: done }).await.unwrap();
    assert_eq!(work(side, said, "d2").await.replays.len(), 1);
    assert_eq!(said.ask(coordinator, stats()).await.unwrap().pending_replays, 3);
    let stranger = Replay { tenant: elsewhere(), ..replay() };
    said.refused(coordinator, stranger, Code::NotFound, &[]).await;
}

pub async fn profiles_changed(side: &Side, said: &mut Answers) {
    join(side, said, "d1").await;
    let before = work(side, said, "d1").await;
    put_seen(side, said, "p").await;
    let after = work(side, said, "d1").await;
    assert_eq!((before.assignments.len(), after.assignments.len()), (0, 1), "it looked at once");
    assert!(after.revision > before.revision);
}
