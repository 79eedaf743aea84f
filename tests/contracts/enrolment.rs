//! What the coordinator answers about tokens and drones' keys.

use chartly::domain::digest::Digest;
use chartly::domain::ids::{DroneId, TenantId};
use chartly::protocol::enrolment::{
    AskRotation, CheckKey, CheckOwnKey, Enrol, Invite, InviteSpec, KeyStanding, ListInvites, RevokeKey, SetNextKey,
    WithdrawInvite,
};
use chartly::protocol::fault::Code;

use crate::answers::Answers;
use crate::sides::Side;

fn tenant() -> TenantId {
    TenantId::default()
}

fn drone(text: &str) -> DroneId {
    DroneId::parse(text).unwrap()
}

fn of(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// Makes a token; gives its digest and its id. What the answer holds differs between two runs, so it is not compared.
async fn token(side: &Side, uses: u32) -> (Digest, i64) {
    let spec = InviteSpec { uses, ..InviteSpec::default() };
    let invited = side.clients.coordinator.ask(Invite { tenant: tenant(), spec }).await.unwrap();
    (of(&invited.token), invited.invite.invite_id)
}

/// Joins as `name` with the key `key`.
async fn join(side: &Side, name: &str, key: &str) -> i64 {
    let (token, invite_id) = token(side, 1).await;
    let message = Enrol { tenant: tenant(), token, drone_id: drone(name), key: of(key) };
    side.clients.coordinator.ask(message).await.unwrap();
    invite_id
}

async fn standing(side: &Side, said: &mut Answers, key: &str) -> KeyStanding {
    said.ask(&side.clients.coordinator, CheckKey { tenant: tenant(), key: of(key) }).await.unwrap()
}

fn good(name: &str, rotate: bool) -> KeyStanding {
    KeyStanding::Good { drone_id: drone(name), rotate }
}

pub async fn invite(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let good = InviteSpec { uses: 3, life_s: 60, note: "hall 2".into() };
    for (field, bad) in [
        ("uses", InviteSpec { uses: 0, ..good.clone() }),
        ("uses", InviteSpec { uses: 10_001, ..good.clone() }),
        ("life_s", InviteSpec { life_s: 0, ..good.clone() }),
        ("life_s", InviteSpec { life_s: 90 * 86_400 + 1, ..good.clone() }),
        ("note", InviteSpec { note: "x".repeat(201), ..good.clone() }),
        ("note", InviteSpec { note: "a\nb".into(), ..good.clone() }),
    ] {
        let message = Invite { tenant: tenant(), spec: bad };
        said.refused(coordinator, message, Code::InvalidRequest, &[field]).await;
    }
    let first = coordinator.ask(Invite { tenant: tenant(), spec: good.clone() }).await.unwrap();
    let second = coordinator.ask(Invite { tenant: tenant(), spec: good }).await.unwrap();
    assert_ne!(first.token, second.token);
    assert!(!format!("{first:?}").contains(&first.token), "a token is in no log");
    assert_eq!((first.invite.uses, first.invite.used, first.invite.note.as_str()), (3, 0, "hall 2"));
    assert_eq!(first.invite.expires_ms - first.invite.created_ms, 60_000);
}

pub async fn list_invites(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    assert_eq!(said.ask(coordinator, ListInvites { tenant: tenant() }).await.unwrap(), []);
    let (_, first) = token(side, 1).await;
    let (_, second) = token(side, 2).await;
    let listed = coordinator.ask(ListInvites { tenant: tenant() }).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.invite_id).collect::<Vec<_>>(), [second, first]);
}

pub async fn withdraw_invite(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let unknown = WithdrawInvite { tenant: tenant(), invite_id: 99 };
    said.refused(coordinator, unknown, Code::NotFound, &[]).await;
    let (token, invite_id) = token(side, 5).await;
    let withdraw = || WithdrawInvite { tenant: tenant(), invite_id };
    let first = coordinator.ask(withdraw()).await.unwrap();
    assert!(first.withdrawn_ms.is_some());
    assert_eq!(coordinator.ask(withdraw()).await.unwrap(), first, "again changes nothing");
    let late = Enrol { tenant: tenant(), token, drone_id: drone("d1"), key: of("k") };
    let fault = coordinator.ask(late).await.unwrap_err();
    assert_eq!(fault.code, Code::TokenRefused, "{fault}");
}

pub async fn enrol(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let enrol = |token, name, key: &str| Enrol { tenant: tenant(), token, drone_id: drone(name), key: of(key) };
    said.refused(coordinator, enrol(of("no token"), "d1", "k1"), Code::TokenRefused, &[]).await;
    let (first, invite_id) = token(side, 2).await;
    for _ in 0..3 {
        assert_eq!(coordinator.ask(enrol(first, "d1", "k1")).await.unwrap().drone_id, drone("d1"));
    }
    assert_eq!(coordinator.ask(enrol(first, "d1", "k2")).await.unwrap_err().code, Code::DroneEnrolled);
    assert_eq!(coordinator.ask(enrol(first, "d2", "k1")).await.unwrap_err().code, Code::TokenRefused);
    coordinator.ask(enrol(first, "d2", "k2")).await.unwrap();
    assert_eq!(coordinator.ask(enrol(first, "d3", "k3")).await.unwrap_err().code, Code::TokenRefused, "used up");
    let listed = coordinator.ask(ListInvites { tenant: tenant() }).await.unwrap();
    assert_eq!((listed[0].invite_id, listed[0].used), (invite_id, 2), "asking again took no use");
}

pub async fn check_key(side: &Side, said: &mut Answers) {
    assert_eq!(standing(side, said, "k1").await, KeyStanding::Unknown);
    join(side, "d1", "k1").await;
    join(side, "d2", "k2").await;
    assert_eq!(standing(side, said, "k1").await, good("d1", false));
    assert_eq!(standing(side, said, "k2").await, good("d2", false));
    let ask = RevokeKey { tenant: tenant(), drone_id: drone("d1") };
    side.clients.coordinator.ask(ask.clone()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(standing(side, said, "k1").await, KeyStanding::Revoked { drone_id: drone("d1") });
    }
    let seen = side.clients.coordinator.ask(ask).await.unwrap();
    assert_eq!(seen.refused, 2);
    assert_eq!(standing(side, said, "k2").await, good("d2", false));
}

pub async fn check_own_key(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let ask = |id: &str| CheckOwnKey { tenant: tenant(), drone_id: drone(id) };
    assert!(!said.ask(coordinator, ask("d1")).await.unwrap());
    join(side, "d1", "k1").await;
    assert!(coordinator.ask(ask("d1")).await.unwrap());
    assert!(!coordinator.ask(ask("d2")).await.unwrap());
    coordinator.ask(RevokeKey { tenant: tenant(), drone_id: drone("d1") }).await.unwrap();
    assert!(!coordinator.ask(ask("d1")).await.unwrap(), "a revoked key owns nothing");
}

pub async fn ask_rotation(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let ask = || AskRotation { tenant: tenant(), drone_id: drone("d1") };
    said.refused(coordinator, ask(), Code::NotFound, &[]).await;
    join(side, "d1", "k1").await;
    assert!(coordinator.ask(ask()).await.unwrap().rotation_asked);
    assert_eq!(standing(side, said, "k1").await, good("d1", true));
}

pub async fn set_next_key(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let next = |key: &str| SetNextKey { tenant: tenant(), drone_id: drone("d1"), key: of(key) };
    said.refused(coordinator, next("k2"), Code::NotFound, &[]).await;
    join(side, "d1", "k1").await;
    coordinator.ask(AskRotation { tenant: tenant(), drone_id: drone("d1") }).await.unwrap();
    for _ in 0..2 {
        said.ask(coordinator, next("k2")).await.unwrap();
    }
    assert_eq!(standing(side, said, "k1").await, good("d1", false), "good until the next one is shown");
    assert_eq!(standing(side, said, "k2").await, good("d1", false));
    assert_eq!(standing(side, said, "k1").await, KeyStanding::Unknown, "and not any more");
    said.ask(coordinator, next("k2")).await.unwrap();
    assert_eq!(standing(side, said, "k2").await, good("d1", false), "told again, it stays");
}

pub async fn revoke_key(side: &Side, said: &mut Answers) {
    let coordinator = &side.clients.coordinator;
    let revoke = || RevokeKey { tenant: tenant(), drone_id: drone("d1") };
    said.refused(coordinator, revoke(), Code::NotFound, &[]).await;
    let invite_id = join(side, "d1", "k1").await;
    let first = coordinator.ask(revoke()).await.unwrap();
    assert_eq!((first.revoked_ms.is_some(), first.invite_id, first.refused), (true, invite_id, 0));
    assert_eq!(coordinator.ask(revoke()).await.unwrap(), first, "again changes nothing");
    let next = SetNextKey { tenant: tenant(), drone_id: drone("d1"), key: of("k2") };
    assert_eq!(coordinator.ask(next).await.unwrap_err().code, Code::NotFound, "a revoked key makes no other");
    join(side, "d1", "k3").await;
    assert_eq!(standing(side, said, "k3").await, good("d1", false), "a new token lets it in again");
}
