//! The uplink: takes batches from the spool in order, delivers them, and removes each only when the control plane has
//! said that it is committed. While the control plane is away it waits, a little longer each time.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, Context, Supervised, WrapFuture};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::outbox::Outbox;
use crate::clients::ControlPlane;
use crate::domain::drift::{Fate, in_words};
use crate::domain::ids::RunId;
use crate::protocol::aggregator::DriftTold;
use crate::protocol::fault::{Code, Fault, Retry};
use crate::runtime::Periodic;
use crate::store::Spooled;

const MIN_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Without news the spool is looked at anyway, for what was left by an earlier process.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Batches that are taken out of the spool at a time.
const BATCHES_AT_ONCE: u32 = 8;
/// Of them on their way at a time: while one is being stored the next is read. Batches of one run may arrive in any
/// order; a profile's next run waits until those of the one before have arrived.
const ON_THEIR_WAY: usize = 3;

/// What the uplink is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) outbox: Outbox,
    pub(super) control_plane: ControlPlane,
    /// After an outage no more than so many batches a second are sent, so that a fleet that comes back is no flood.
    pub(super) max_batches_per_s: u32,
}

#[derive(Debug)]
pub struct Uplink {
    seed: Seed,
    failures: u32,
}

impl Uplink {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, failures: 0 }
    }
}

/// What became of one batch.
enum Delivery {
    Committed,
    /// Taken, but its run's records are not stored: what the run learnt of the source does not hold.
    KeptBack,
    /// Its profile is not known there now: it may have been removed, or its folder is not mounted yet. It waits, at
    /// most as long as the spool's bound allows, and holds up no other.
    Parked(Fault),
    /// The control plane will never take it.
    Refused(Fault),
    /// Not delivered, or it is not known: to be sent again.
    Later(Fault),
}

/// Delivers what the spool holds, in order. True: it is empty. False: something waits, try again later.
async fn deliver_all(seed: &Seed) -> bool {
    let (mut after, mut parked) = (0, false);
    loop {
        let batches = match seed.outbox.spool().peek(after, BATCHES_AT_ONCE).await {
            Ok(batches) => batches,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                return false;
            }
        };
        let Some(last) = batches.last() else { return !parked };
        after = last.seq;
        let turn =
            tokio::time::Instant::now() + Duration::from_secs(1) * count(&batches) / seed.max_batches_per_s.max(1);
        let outcome = deliver_some(seed, batches).await;
        if let Err(error) = seed.outbox.spool().acknowledged(&outcome.stored).await {
            // They will be sent again and answered as replays.
            tracing::error!(%error, "delivered batches could not be removed from the spool");
            return false;
        }
        if outcome.stopped {
            return false;
        }
        parked |= outcome.parked;
        tokio::time::sleep_until(turn).await;
    }
}

fn count(batches: &[Spooled]) -> u32 {
    u32::try_from(batches.len()).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Outcome {
    /// Acknowledged batches.
    stored: Vec<i64>,
    /// Some wait for their profile to be known again.
    parked: bool,
    /// The control plane takes nothing now.
    stopped: bool,
}

async fn deliver_some(seed: &Seed, batches: Vec<Spooled>) -> Outcome {
    let mut outcome = Outcome::default();
    for group in groups(batches) {
        deliver_group(seed, group, &mut outcome).await;
        if outcome.stopped {
            break;
        }
    }
    outcome
}

/// Cuts batches into groups in which no profile has two runs.
fn groups(batches: Vec<Spooled>) -> Vec<Vec<Spooled>> {
    let mut groups: Vec<Vec<Spooled>> = Vec::new();
    for batch in batches {
        let other_run = |earlier: &Spooled| earlier.profile_id == batch.profile_id && earlier.run_id != batch.run_id;
        match groups.last_mut().filter(|group| !group.iter().any(other_run)) {
            Some(group) => group.push(batch),
            None => groups.push(vec![batch]),
        }
    }
    groups
}

async fn deliver_group(seed: &Seed, batches: Vec<Spooled>, outcome: &mut Outcome) {
    let deliveries = batches
        .into_iter()
        .map(|Spooled { seq, zstd, .. }| async move { (seq, deliver(&seed.control_plane, Bytes::from(zstd)).await) });
    // Heard in order: what one tells holds for those after it.
    let mut heard = stream::iter(deliveries).buffered(ON_THEIR_WAY);
    while let Some((seq, delivery)) = heard.next().await {
        match delivery {
            Delivery::Committed => outcome.stored.push(seq),
            Delivery::KeptBack => set_aside(seed, seq).await,
            Delivery::Parked(fault) => {
                tracing::warn!(%fault, seq, "a batch waits until its profile is there again");
                outcome.parked = true;
            }
            Delivery::Refused(fault) => give_up(seed, seq, &fault).await,
            Delivery::Later(fault) => {
                tracing::warn!(%fault, "delivery waits");
                outcome.stopped = true;
                return;
            }
        }
    }
}

async fn set_aside(seed: &Seed, seq: i64) {
    if let Err(error) = seed.outbox.spool().set_aside(seq).await {
        // It will be sent again and answered as before.
        tracing::error!(%error, "a batch that was put aside could not be removed from the spool");
    }
}

async fn give_up(seed: &Seed, seq: i64, fault: &Fault) {
    metrics::counter!("chartly_drone_batches_refused_total", "code" => fault.code.name()).increment(1);
    tracing::error!(%fault, seq, "a batch was refused for good and is dropped");
    if let Err(error) = seed.outbox.spool().refused(seq).await {
        tracing::error!(%error, "a refused batch could not be removed from the spool");
    }
}

async fn deliver(control_plane: &ControlPlane, body: Bytes) -> Delivery {
    match control_plane.deliver(body).await {
        Ok(receipt) => {
            if receipt.rejected > 0 {
                tracing::error!(rejected = receipt.rejected, first = ?receipt.rejects.first(), "records were rejected");
            }
            match receipt.drift {
                Some(drift) => told(&receipt.run_id, &drift),
                None => Delivery::Committed,
            }
        }
        Err(fault) if fault.code == Code::UnknownProfile => Delivery::Parked(fault),
        Err(fault) if will_never_be_taken(&fault) => Delivery::Refused(fault),
        Err(fault) => Delivery::Later(fault),
    }
}

/// The run looked other than those before it.
fn told(run_id: &RunId, drift: &DriftTold) -> Delivery {
    let changes = in_words(&drift.changes);
    if drift.drifted {
        tracing::warn!(%run_id, fate = drift.fate.map(Fate::word), changes, "a run drifted");
    } else {
        tracing::info!(%run_id, changes, "a run has news of its source");
    }
    if drift.keeps_back() { Delivery::KeptBack } else { Delivery::Committed }
}

/// A wrong key or a proxy in between is for the operator to mend; the batch waits. What the batch itself is refused
/// for will not change.
fn will_never_be_taken(fault: &Fault) -> bool {
    let mendable = matches!(
        fault.code,
        Code::Unauthenticated | Code::KeyRevoked | Code::Forbidden | Code::NotFound | Code::RequestTimeout
    );
    fault.code.retry() == Retry::Never && !mendable
}

async fn pause(outbox: Outbox, failures: u32) {
    if failures == 0 {
        let _ = tokio::time::timeout(LOOK_EVERY, outbox.news()).await;
        return;
    }
    let most = MIN_PAUSE.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
    tokio::time::sleep(most.mul_f64(rand::random_range(0.5..1.0))).await;
}

impl Actor for Uplink {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Periodic::every(Duration::ZERO).at_once().run_in(context, |actor, _| {
            let (seed, failures) = (actor.seed.clone(), actor.failures);
            let round = async move {
                let empty = deliver_all(&seed).await;
                let failures = if empty { 0 } else { failures.saturating_add(1) };
                pause(seed.outbox, failures).await;
                failures
            };
            Box::pin(round.into_actor(actor).map(|now, actor, _| actor.failures = now))
        });
    }
}

impl Supervised for Uplink {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profiles_next_run_waits_for_the_one_before_and_other_profiles_do_not() {
        let batch = |seq: i64, profile_id: &str, run_id: &str| Spooled {
            seq,
            profile_id: profile_id.into(),
            run_id: run_id.into(),
            zstd: Vec::new(),
        };
        let all = [(1, "p", "r1"), (2, "p", "r1"), (3, "q", "r2"), (4, "p", "r3"), (5, "q", "r2"), (6, "p", "r1")];
        let cut = groups(all.into_iter().map(|(seq, profile, run)| batch(seq, profile, run)).collect());
        let seqs: Vec<Vec<i64>> = cut.iter().map(|group| group.iter().map(|batch| batch.seq).collect()).collect();
        assert_eq!(seqs, [vec![1, 2, 3], vec![4, 5], vec![6]]);
    }
}
