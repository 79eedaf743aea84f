//! Profiles that an operator keeps on one drone. Stored before it is decided upon, like all that must survive a restart.

use actix::{ActorFutureExt, Handler, ResponseActFuture, WrapFuture};

use super::Coordinator;
use crate::protocol::coordinator::{PinProfile, PlacementView};
use crate::protocol::fault::Fault;

impl Handler<PinProfile> for Coordinator {
    type Result = ResponseActFuture<Self, Result<PlacementView, Fault>>;

    fn handle(&mut self, message: PinProfile, _: &mut Self::Context) -> Self::Result {
        let PinProfile { tenant, profile_id, drone_id } = message;
        let allowed = self.fleet(&tenant).and_then(|fleet| fleet.may_pin(drone_id.as_ref()));
        let store = self.seed.store.tenant(&tenant);
        let (profile, drone) = (profile_id.clone(), drone_id.clone());
        let saved = async move {
            allowed?;
            Ok::<(), Fault>(store.set_pin(&profile, drone.as_ref()).await?)
        };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| {
            saved?;
            let fleet = actor.fleet(&tenant)?;
            fleet.set_pin(&profile_id, drone_id.as_ref());
            Ok(fleet.placement_of(&profile_id))
        }))
    }
}
