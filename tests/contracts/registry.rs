//! What the registry answers.

use std::time::Duration;

use chartly::domain::digest::Digest;
use chartly::domain::ids::{ProfileId, TenantId};
use chartly::protocol::fault::{Code, Fault};
use chartly::protocol::paging::PageRequest;
use chartly::protocol::registry::{
    DeleteProfile, GetProfile, ListBrokenFiles, ListProfiles, ListVersions, Origin, ProfileView, PutMode, PutProfile,
    RollBack, SetPaused, ValidateProfile,
};

use crate::answers::Answers;
use crate::sides::Side;
use crate::support::until;

/// A profile's text; `version` makes it another one.
pub fn yaml(id: &str, version: &str) -> String {
    format!(
        "id: {id}\nname: About {id}\nversion: {version}\n\
         source: {{ type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 1h }}\nmapping:\n  n: dims.n\n  v: measures.v\n"
    )
}

pub fn id(text: &str) -> ProfileId {
    ProfileId::parse(text).unwrap()
}

fn tenant() -> TenantId {
    TenantId::default()
}

fn create(yaml: String) -> PutProfile {
    PutProfile { tenant: tenant(), yaml, expected_id: None, mode: PutMode::Create, if_match: None }
}

fn replace(yaml: String) -> PutProfile {
    PutProfile { mode: PutMode::Replace, ..create(yaml) }
}

fn get(name: &str, digest: Option<Digest>) -> GetProfile {
    GetProfile { tenant: tenant(), id: id(name), digest }
}

/// Stores a profile that other contracts need.
pub async fn put(side: &Side, said: &mut Answers, name: &str) -> ProfileView {
    put_text(side, said, &yaml(name, "1.0.0")).await
}

pub async fn put_text(side: &Side, said: &mut Answers, yaml: &str) -> ProfileView {
    said.ask(&side.clients.registry, replace(yaml.to_owned())).await.unwrap()
}

pub async fn put_profile(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let first = said.ask(registry, create(yaml("p", "1.0.0"))).await.unwrap();
    assert_eq!(first.summary.digest, Digest::of(yaml("p", "1.0.0").as_bytes()));
    assert_eq!((first.summary.origin, first.summary.enabled, first.summary.paused), (Origin::Api, true, false));
    assert_eq!(first.yaml, yaml("p", "1.0.0"));

    let fault = said.refused(registry, create(yaml("p", "2.0.0")), Code::ProfileExists, &[]).await;
    assert!(fault.detail.contains("\"p\""), "{fault}");
    let other = PutProfile { expected_id: Some(id("q")), ..replace(yaml("p", "2.0.0")) };
    said.refused(registry, other, Code::InvalidRequest, &["id"]).await;
    let stale = PutProfile { if_match: Some(Digest::of(b"seen long ago")), ..replace(yaml("p", "2.0.0")) };
    let fault = said.refused(registry, stale.clone(), Code::VersionConflict, &[]).await;
    assert!(fault.detail.contains(&first.summary.digest.to_string()), "{fault}");
    let nothing_there = PutProfile { yaml: yaml("q", "1.0.0"), ..stale };
    said.refused(registry, nothing_there, Code::VersionConflict, &[]).await;

    let again = said.ask(registry, replace(yaml("p", "1.0.0"))).await.unwrap();
    assert_eq!(again, first, "the same text again changes nothing");
    let fresh = PutProfile { if_match: Some(first.summary.digest), ..replace(yaml("p", "2.0.0")) };
    let second = said.ask(registry, fresh).await.unwrap();
    assert_eq!((second.summary.version.as_str(), second.yaml), ("2.0.0", yaml("p", "2.0.0")));
    put_with_faults(side, said).await;
}

/// Faults in the text come with their places, all of them.
async fn put_with_faults(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let bad = yaml("p", "1.0.0").replace("dims.n", "dimz.n").replace("enabled: true", "enabled: perhaps");
    let fault = said.ask(registry, replace(bad)).await.unwrap_err();
    assert_eq!(fault.code, Code::InvalidProfile);
    assert!(fault.places.len() >= 2, "{fault:?}");
    assert!(fault.places.iter().all(|place| place.at.starts_with("line ")), "{fault:?}");
    let not_yaml = said.ask(registry, replace("id: [".into())).await.unwrap_err();
    assert_eq!((not_yaml.code, not_yaml.places.len()), (Code::InvalidProfile, 1), "{not_yaml:?}");
}

pub async fn get_profile(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    said.refused(registry, get("p", None), Code::UnknownProfile, &["profile_id"]).await;
    let first = said.ask(registry, create(yaml("p", "1.0.0"))).await.unwrap();
    let second = said.ask(registry, replace(yaml("p", "2.0.0"))).await.unwrap();
    assert_eq!(said.ask(registry, get("p", None)).await.unwrap(), second);
    let old = said.ask(registry, get("p", Some(first.summary.digest))).await.unwrap();
    assert_eq!((old.yaml, old.summary.digest), (first.yaml, first.summary.digest));
    said.refused(registry, get("p", Some(Digest::of(b"never"))), Code::NotFound, &[]).await;
    let elsewhere = GetProfile { tenant: TenantId::parse("other").unwrap(), ..get("p", None) };
    said.refused(registry, elsewhere, Code::UnknownProfile, &["profile_id"]).await;
}

pub async fn list_profiles(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let list = |enabled: Option<bool>, limit: Option<u32>, cursor: Option<String>| ListProfiles {
        tenant: tenant(),
        enabled,
        page: PageRequest { limit, cursor },
    };
    assert_eq!(said.ask(registry, list(None, None, None)).await.unwrap().items, []);
    for name in ["b", "a", "c"] {
        put(side, said, name).await;
    }
    said.ask(registry, SetPaused { tenant: tenant(), id: id("b"), paused: true }).await.unwrap();
    let names = |page: &chartly::protocol::paging::Page<chartly::protocol::registry::ProfileSummary>| {
        page.items.iter().map(|profile| profile.id.to_string()).collect::<String>()
    };
    let first = said.ask(registry, list(None, Some(2), None)).await.unwrap();
    let second = said.ask(registry, list(None, Some(2), first.next.clone())).await.unwrap();
    assert_eq!((names(&first).as_str(), names(&second).as_str(), second.next.is_none()), ("ab", "c", true));
    assert_eq!(names(&said.ask(registry, list(Some(true), None, None)).await.unwrap()), "ac");
    assert_eq!(names(&said.ask(registry, list(Some(false), None, None)).await.unwrap()), "b");
    for limit in [0, 5_001] {
        said.refused(registry, list(None, Some(limit), None), Code::InvalidRequest, &["limit"]).await;
    }
}

pub async fn delete_profile(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let delete = || DeleteProfile { tenant: tenant(), id: id("p") };
    said.refused(registry, delete(), Code::UnknownProfile, &["profile_id"]).await;
    put(side, said, "p").await;
    said.ask(registry, delete()).await.unwrap();
    said.refused(registry, get("p", None), Code::UnknownProfile, &["profile_id"]).await;
    said.refused(registry, delete(), Code::UnknownProfile, &["profile_id"]).await;
    said.ask(registry, create(yaml("p", "1.0.0"))).await.expect("a deleted profile may come back");
}

pub async fn list_versions(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let versions = || ListVersions { tenant: tenant(), id: id("p") };
    said.refused(registry, versions(), Code::UnknownProfile, &["profile_id"]).await;
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        said.ask(registry, replace(yaml("p", version))).await.unwrap();
    }
    let all = said.ask(registry, versions()).await.unwrap();
    let shown: Vec<_> = all.iter().map(|one| (one.version.as_str(), one.current)).collect();
    assert_eq!(shown, [("3.0.0", true), ("2.0.0", false), ("1.0.0", false)]);
}

pub async fn set_paused(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let pause = |paused| SetPaused { tenant: tenant(), id: id("p"), paused };
    said.refused(registry, pause(true), Code::UnknownProfile, &["profile_id"]).await;
    put(side, said, "p").await;
    for _ in 0..2 {
        let paused = said.ask(registry, pause(true)).await.unwrap();
        assert_eq!((paused.paused, paused.enabled), (true, false));
    }
    let next = said.ask(registry, replace(yaml("p", "2.0.0"))).await.unwrap();
    assert!(next.summary.paused, "a new version does not resume");
    let resumed = said.ask(registry, pause(false)).await.unwrap();
    assert_eq!((resumed.paused, resumed.enabled), (false, true));
}

pub async fn roll_back(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let back = |to| RollBack { tenant: tenant(), id: id("p"), to };
    said.refused(registry, back(None), Code::UnknownProfile, &["profile_id"]).await;
    let first = put(side, said, "p").await;
    said.refused(registry, back(None), Code::NotFound, &[]).await;
    let second = said.ask(registry, replace(yaml("p", "2.0.0"))).await.unwrap();
    said.refused(registry, back(Some(Digest::of(b"never"))), Code::NotFound, &[]).await;
    assert_eq!(said.ask(registry, back(None)).await.unwrap().summary.digest, first.summary.digest);
    let forward = said.ask(registry, back(Some(second.summary.digest))).await.unwrap();
    assert_eq!(forward.yaml, second.yaml);
}

pub async fn validate_profile(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let good = said.ask(registry, ValidateProfile { yaml: yaml("p", "1.0.0") }).await.unwrap();
    assert_eq!((good.valid, good.problems), (true, vec![]));
    let bad = yaml("p", "1.0.0").replace("http_rest", "carrier_pigeon").replace("measures.v", "measures");
    let found = said.ask(registry, ValidateProfile { yaml: bad }).await.unwrap();
    assert!(!found.valid && found.problems.len() >= 2, "{found:?}");
    said.refused(registry, get("p", None), Code::UnknownProfile, &["profile_id"]).await;
}

pub async fn list_broken_files(side: &Side, said: &mut Answers) {
    let registry = &side.clients.registry;
    let broken = || ListBrokenFiles { tenant: tenant() };
    assert_eq!(said.ask(registry, broken()).await.unwrap(), []);
    std::fs::create_dir_all(side.profiles.join("area")).unwrap();
    std::fs::write(side.profiles.join("good.yaml"), yaml("good", "1.0.0")).unwrap();
    std::fs::write(side.profiles.join("area/bad.yaml"), "id: bad\nname: [\n").unwrap();
    let found = until("the registry has looked", Duration::from_secs(10), async || {
        let found: Result<_, Fault> = registry.ask(broken()).await;
        let stored = registry.ask(get("good", None)).await;
        Some(found.unwrap()).filter(|files| !files.is_empty() && stored.is_ok())
    })
    .await;
    assert_eq!(found.len(), 1);
    assert_eq!(said.ask(registry, broken()).await.unwrap(), found);
    assert_eq!(found[0].path, "area/bad.yaml");
    assert!(found[0].problems[0].at.starts_with("area/bad.yaml:"), "{found:?}");
    let good = said.ask(registry, get("good", None)).await.unwrap();
    assert_eq!((good.summary.origin, good.summary.path.as_deref()), (Origin::Folder, Some("good.yaml")));
    let elsewhere = ListBrokenFiles { tenant: TenantId::parse("other").unwrap() };
    assert_eq!(said.ask(registry, elsewhere).await.unwrap(), []);
}
