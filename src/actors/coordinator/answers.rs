//! How the coordinator answers: what changes something is allowed by the fleet first, then stored, then done.

use actix::{ActorFutureExt, Handler, MessageResult, ResponseActFuture, ResponseFuture, WrapFuture};

use super::drone::offer;
use super::enrolment::add_keys;
use super::{Coordinator, Fleet};
use crate::protocol::call::Done;
use crate::protocol::coordinator::{
    BeatReply, DrainDrone, DroneHello, DroneView, GetDrone, GetDroneStats, GetPlacement, GetWork, Heartbeat,
    ListDrones, ProfilesChanged, Register, Registered, RunNow, RunRequested,
};
use crate::protocol::fault::Fault;
use crate::protocol::paging::Page;
use crate::store::SavedDrone;

type Answer<T> = ResponseActFuture<Coordinator, Result<T, Fault>>;

impl Handler<Register> for Coordinator {
    type Result = Answer<Registered>;

    fn handle(&mut self, message: Register, _: &mut Self::Context) -> Self::Result {
        let Register { tenant, hello } = message;
        let admitted = self.fleet(&tenant).and_then(|fleet| fleet.admit(&hello));
        let now_ms = self.now_ms();
        let drone = admitted.map(|draining| saved(&hello, draining, now_ms));
        let store = self.seed.store.tenant(&tenant);
        let saved = async move { Ok::<(), Fault>(store.save_drone(drone?).await?) };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| {
            saved?;
            let server_ms = actor.now_ms();
            let change = actor.fleet(&tenant)?.register(&hello, server_ms);
            actor.tell(change);
            let (heartbeat_ms, lease_ms) = (actor.seed.heartbeat_ms, actor.seed.lease_ms);
            let (store_id, instance) = (actor.store_id.clone(), hello.instance);
            Ok(Registered { heartbeat_ms, lease_ms, server_ms, store_id, instance })
        }))
    }
}

fn saved(hello: &DroneHello, draining: bool, now_ms: i64) -> SavedDrone {
    SavedDrone {
        drone_id: hello.drone_id.clone(),
        version: hello.version.clone(),
        offer: offer(hello),
        registered_ms: now_ms,
        last_seen_ms: now_ms,
        draining,
    }
}

impl Handler<Heartbeat> for Coordinator {
    type Result = Answer<BeatReply>;

    fn handle(&mut self, message: Heartbeat, _: &mut Self::Context) -> Self::Result {
        let Heartbeat { tenant, beat } = message;
        let now_ms = self.now_ms();
        let replayed = self.finish_replays(&tenant, &beat);
        let heard = self.fleet(&tenant).map(|fleet| {
            let (reply, change) = fleet.beat(&beat, now_ms);
            (reply, change, fleet.open_requests(&beat.done_requests))
        });
        let (reply, change, done) = match heard {
            Ok(heard) => heard,
            Err(fault) => return Box::pin(actix::fut::err(fault)),
        };
        self.tell(change);
        let finished = self.finish_requests(tenant, done);
        Box::pin(
            finished
                .then(move |finished, _, _| replayed.map(move |replayed, _, _| finished.and(replayed).map(|()| reply))),
        )
    }
}

impl Handler<DrainDrone> for Coordinator {
    type Result = Answer<DroneView>;

    fn handle(&mut self, message: DrainDrone, _: &mut Self::Context) -> Self::Result {
        let DrainDrone { tenant, drone_id, draining } = message;
        let known = self.fleet(&tenant).and_then(|fleet| fleet.view(&drone_id));
        let store = self.seed.store.tenant(&tenant);
        let saved = async move {
            let drone = known?;
            Ok::<(), Fault>(store.set_draining(&drone.drone_id, draining).await?)
        };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| {
            saved?;
            let change = actor.fleet(&tenant)?.set_draining(&drone_id, draining)?;
            actor.tell(Some(change));
            actor.fleet(&tenant)?.view(&drone_id)
        }))
    }
}

impl Handler<RunNow> for Coordinator {
    type Result = Answer<RunRequested>;

    fn handle(&mut self, message: RunNow, _: &mut Self::Context) -> Self::Result {
        let RunNow { tenant, profile_id } = message;
        let allowed = self.fleet(&tenant).and_then(|fleet| fleet.may_run(&profile_id));
        let (store, now_ms, asked) = (self.seed.store.tenant(&tenant), self.now_ms(), profile_id.clone());
        let saved = async move {
            allowed?;
            Ok::<i64, Fault>(store.add_run_request(&asked, now_ms).await?)
        };
        Box::pin(
            saved
                .into_actor(self)
                .map(move |saved, actor, _| Ok(actor.fleet(&tenant)?.add_request(saved?, &profile_id))),
        )
    }
}

impl Handler<ProfilesChanged> for Coordinator {
    type Result = Answer<Done>;

    fn handle(&mut self, _: ProfilesChanged, _: &mut Self::Context) -> Self::Result {
        Box::pin(self.look().map(|(), _, _| Ok(Done {})))
    }
}

/// Implements `Handler` for messages that only look at the fleet.
macro_rules! looks {
    ($($message:ty => |$fleet:ident, $it:ident| $answer:expr;)+) => {
        $(
            impl Handler<$message> for Coordinator {
                type Result = MessageResult<$message>;

                fn handle(&mut self, $it: $message, _: &mut Self::Context) -> Self::Result {
                    MessageResult(self.fleet(&$it.tenant).and_then(|$fleet| $answer))
                }
            }
        )+
    };
}

looks! {
    GetWork => |fleet, message| fleet.work(&message.drone_id, message.seen);
    GetDroneStats => |fleet, message| Ok(fleet.stats());
    GetPlacement => |fleet, message| Ok(fleet.placement_of(&message.profile_id));
}

impl Handler<GetDrone> for Coordinator {
    type Result = ResponseFuture<Result<DroneView, Fault>>;

    fn handle(&mut self, message: GetDrone, _: &mut Self::Context) -> Self::Result {
        let view = self.fleet(&message.tenant).and_then(|fleet| fleet.view(&message.drone_id));
        let store = self.seed.store.tenant(&message.tenant);
        Box::pin(async move {
            let mut found = view?;
            add_keys(&store, std::slice::from_mut(&mut found)).await?;
            Ok(found)
        })
    }
}

impl Handler<ListDrones> for Coordinator {
    type Result = ResponseFuture<Result<Page<DroneView>, Fault>>;

    fn handle(&mut self, message: ListDrones, _: &mut Self::Context) -> Self::Result {
        let page = self.fleet(&message.tenant).and_then(|fleet| list(fleet, &message));
        let store = self.seed.store.tenant(&message.tenant);
        Box::pin(async move {
            let mut page = page?;
            add_keys(&store, &mut page.items).await?;
            Ok(page)
        })
    }
}

fn list(fleet: &Fleet, message: &ListDrones) -> Result<Page<DroneView>, Fault> {
    let limit = message.page.limit()?;
    let views = fleet.views(message.page.name(), limit as usize + 1);
    Ok(Page::cut(views, limit, |view| view.drone_id.to_string()))
}
