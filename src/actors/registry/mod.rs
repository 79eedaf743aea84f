//! The registry: profiles from the folder and from the API, every version kept. The store holds the truth; the actor
//! holds only what it last saw of the folder.

mod folder;
mod scan;

use std::path::PathBuf;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, ResponseActFuture, Supervised, WrapFuture,
};

use super::answers;
use super::events::{Event, Events};
use crate::domain::ids::{ProfileId, TenantId};
use crate::pipeline::proof::{Proof, prove_inline};
use crate::profiles;
use crate::protocol::call::Done;
use crate::protocol::fault::{Code, Fault, Place};
use crate::protocol::paging::Page;
use crate::protocol::registry::{
    BrokenFile, DeleteProfile, GetProfile, ListBrokenFiles, ListProfiles, ListVersions, Origin, ProfileSummary,
    ProfileView, PutProfile, RollBack, SetPaused, ValidateProfile, Validation, VersionView,
};
use crate::runtime::{Clock, Periodic};
use crate::store::{NewVersion, Store};

use folder::Folder;

/// Differences of a failed test that are told.
const MAX_DIFFERENCES: usize = 20;

/// What the registry is rebuilt from.
#[derive(Debug, Clone)]
pub struct Seed {
    pub store: Store,
    pub clock: Clock,
    pub events: Events,
    /// The profiles folder and how often it is looked at.
    pub folder: Option<(PathBuf, Duration)>,
}

#[derive(Debug)]
pub struct Registry {
    seed: Seed,
    folder: Folder,
}

impl Registry {
    pub fn new(seed: Seed) -> Self {
        Self { seed, folder: Folder::default() }
    }

    /// One look at the folder.
    fn look(&self) -> ResponseActFuture<Self, ()> {
        let Some((path, _)) = self.seed.folder.clone() else { return Box::pin(actix::fut::ready(())) };
        let look = scan::look(self.seed.clone(), path, self.folder.clone());
        Box::pin(look.into_actor(self).map(|folder, actor, _| actor.folder = folder))
    }

    async fn list(seed: Seed, message: ListProfiles) -> Result<Page<ProfileSummary>, Fault> {
        Ok(seed.store.tenant(&message.tenant).profiles(message.enabled, &message.page).await?)
    }

    async fn get(seed: Seed, message: GetProfile) -> Result<ProfileView, Fault> {
        Ok(seed.store.tenant(&message.tenant).profile(&message.id, message.digest.as_ref()).await?)
    }

    async fn put(seed: Seed, message: PutProfile) -> Result<ProfileView, Fault> {
        let version = parse(&message.yaml).await?;
        if let Some(expected) = message.expected_id.as_ref().filter(|expected| **expected != version.id) {
            let detail = format!("the text says id: {}, the URL says {expected}; make them equal", version.id);
            return Err(Fault::invalid("id", detail));
        }
        let (id, tenant) = (version.id.clone(), seed.store.tenant(&message.tenant));
        let view = tenant.put_profile(version, message.mode, message.if_match, seed.clock.now_ms()).await?;
        seed.tell(&id, "put");
        Ok(view)
    }

    async fn delete(seed: Seed, message: DeleteProfile) -> Result<Done, Fault> {
        seed.store.tenant(&message.tenant).delete_profile(&message.id, seed.clock.now_ms()).await?;
        seed.tell(&message.id, "deleted");
        Ok(Done {})
    }

    async fn versions(seed: Seed, message: ListVersions) -> Result<Vec<VersionView>, Fault> {
        Ok(seed.store.tenant(&message.tenant).versions(&message.id).await?)
    }

    async fn set_paused(seed: Seed, message: SetPaused) -> Result<ProfileSummary, Fault> {
        let tenant = seed.store.tenant(&message.tenant);
        let summary = tenant.set_paused(&message.id, message.paused).await?;
        seed.tell(&message.id, if message.paused { "paused" } else { "resumed" });
        Ok(summary)
    }

    async fn roll_back(seed: Seed, message: RollBack) -> Result<ProfileView, Fault> {
        let tenant = seed.store.tenant(&message.tenant);
        let view = tenant.roll_back(&message.id, message.to, seed.clock.now_ms()).await?;
        seed.tell(&message.id, "rolled_back");
        Ok(view)
    }

    async fn validate(_: Seed, message: ValidateProfile) -> Result<Validation, Fault> {
        let problems = match profiles::load(&message.yaml) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.places(None),
        };
        Ok(Validation { valid: problems.is_empty(), problems })
    }
}

impl Seed {
    fn tell(&self, id: &ProfileId, change: &'static str) {
        self.events.publish(Event::Profile { profile_id: id.to_string(), change: change.into() });
    }
}

/// A version whose own test fails is not published.
fn proof_holds(proof: &Proof) -> Result<(), Fault> {
    let Some(first) = proof.differences.first() else { return Ok(()) };
    let detail = format!("the profile's own test fails; {} differences, the first: {first}", proof.differences.len());
    let place = |difference: &String| Place { at: "test".into(), reason: difference.clone() };
    let places = proof.differences.iter().take(MAX_DIFFERENCES).map(place).collect();
    Err(Fault::new(Code::InvalidProfile, detail).with_places(places))
}

/// Checks a profile's text and makes a version of it.
async fn parse(yaml: &str) -> Result<NewVersion, Fault> {
    let profile = profiles::load(yaml)?;
    if let Some(proof) = prove_inline(&profile).await {
        proof_holds(&proof)?;
    }
    Ok(version_of(&profile, yaml, Origin::Api, None))
}

fn version_of(profile: &profiles::Profile, yaml: &str, origin: Origin, path: Option<String>) -> NewVersion {
    NewVersion {
        id: profile.id().clone(),
        name: profile.name().to_owned(),
        version: profile.version().to_owned(),
        digest: *profile.digest(),
        yaml: yaml.to_owned(),
        key: profile.key().to_vec(),
        needs: profile.needs().clone(),
        enabled: profile.enabled(),
        origin,
        path,
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The first look comes before the first message, so that a node that is ready has its profiles.
        context.wait(self.look());
        if let Some((_, every)) = self.seed.folder {
            Periodic::every(every).run_in(context, |actor, _| actor.look());
        }
    }
}

impl Supervised for Registry {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.folder = Folder::default();
    }
}

impl Handler<ListBrokenFiles> for Registry {
    type Result = MessageResult<ListBrokenFiles>;

    fn handle(&mut self, message: ListBrokenFiles, _: &mut Self::Context) -> Self::Result {
        let ours = message.tenant == TenantId::default();
        let broken: Vec<BrokenFile> = if ours { self.folder.broken() } else { Vec::new() };
        MessageResult(Ok(broken))
    }
}

answers!(Registry {
    ListProfiles => list,
    GetProfile => get,
    PutProfile => put,
    DeleteProfile => delete,
    ListVersions => versions,
    SetPaused => set_paused,
    RollBack => roll_back,
    ValidateProfile => validate,
});
