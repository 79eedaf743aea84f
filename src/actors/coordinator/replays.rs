//! Replays that drones have not carried out yet. Kept answers lie on the drone that made the run, so each live drone
//! gets a request of its own. Stored before it is decided upon, like runs asked for by hand.

use std::collections::BTreeMap;

use actix::{ActorFutureExt, Handler, ResponseActFuture, WrapFuture};

use super::Coordinator;
use crate::domain::ids::{DroneId, TenantId};
use crate::protocol::coordinator::{Beat, Replay, ReplayRequest, ReplaysRequested, RunRequested};
use crate::protocol::fault::{Code, Fault};

/// Open requests by id, each of one drone.
#[derive(Debug, Default)]
pub(super) struct Replays(BTreeMap<i64, (DroneId, ReplayRequest)>);

impl Replays {
    pub(super) fn add(&mut self, requests: Vec<(DroneId, ReplayRequest)>) -> ReplaysRequested {
        let told = requests
            .iter()
            .map(|(drone, request)| RunRequested { request_id: request.request_id, drone_id: Some(drone.clone()) });
        let told = told.collect();
        self.0.extend(requests.into_iter().map(|(drone, request)| (request.request_id, (drone, request))));
        ReplaysRequested { requests: told }
    }

    /// What a drone should replay, the oldest request first.
    pub(super) fn of(&self, drone_id: &DroneId) -> Vec<ReplayRequest> {
        self.0.values().filter(|(drone, _)| drone == drone_id).map(|(_, request)| request.clone()).collect()
    }

    /// Those of `done` that are this drone's and open.
    fn open(&self, drone_id: &DroneId, done: &[i64]) -> Vec<i64> {
        let is_its_own = |id: &i64| self.0.get(id).is_some_and(|(drone, _)| drone == drone_id);
        done.iter().copied().filter(is_its_own).collect()
    }

    fn finish(&mut self, done: &[i64]) {
        for id in done {
            self.0.remove(id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

type Finished = ResponseActFuture<Coordinator, Result<(), Fault>>;

impl Coordinator {
    /// Takes what a drone has carried out out of the store, then out of the fleet.
    pub(super) fn finish_replays(&mut self, tenant: &TenantId, beat: &Beat) -> Finished {
        let open = self.fleet(tenant).map(|fleet| fleet.replays.open(&beat.drone_id, &beat.done_replays));
        let (open, tenant) = (open.unwrap_or_default(), tenant.clone());
        if open.is_empty() {
            return Box::pin(actix::fut::ok(()));
        }
        let (store, finished) = (self.seed.store.tenant(&tenant), open.clone());
        let saved = async move { Ok::<(), Fault>(store.finish_replay_requests(&finished).await?) };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| {
            saved?;
            actor.fleet(&tenant)?.replays.finish(&open);
            Ok(())
        }))
    }
}

impl Handler<Replay> for Coordinator {
    type Result = ResponseActFuture<Self, Result<ReplaysRequested, Fault>>;

    fn handle(&mut self, message: Replay, _: &mut Self::Context) -> Self::Result {
        let Replay { tenant, profile_id, of } = message;
        let drones = self.fleet(&tenant).map(|fleet| fleet.live_drones());
        let (store, now_ms) = (self.seed.store.tenant(&tenant), self.now_ms());
        let saved = async move {
            let drones = drones?;
            let requests = store.add_replay_requests(&profile_id, &of, drones, now_ms).await?;
            if requests.is_empty() {
                let detail = "no drone is online; kept answers lie on the drone that asked the source";
                return Err(Fault::new(Code::Unavailable, detail).retry_after(30));
            }
            Ok(requests)
        };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| Ok(actor.fleet(&tenant)?.add_replays(saved?))))
    }
}
