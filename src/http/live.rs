//! What happens now, for whoever watches: the node's events as server-sent events. A watcher that is too slow is told
//! how many it missed; it never slows the others or the node.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::node::Phase;
use crate::actors::{Event, Events};
use crate::protocol::fault::{Code, Fault};

/// A comment this often keeps the connection open through proxies, and finds the watchers that are gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where another process of ours listens to what happens in this one.
pub const EVENTS_ROUTE: &str = "/internal/events";

/// Gives watchers their seats. Clones share them.
#[derive(Debug, Clone)]
pub struct Live {
    events: Events,
    /// What other processes tell.
    relayed: Events,
    seats: Arc<Semaphore>,
    max_watchers: usize,
    phase: watch::Receiver<Phase>,
}

impl Live {
    /// Streams end when the node stops, so that they do not hold it up.
    pub fn new(events: Events, max_watchers: usize, phase: watch::Receiver<Phase>) -> Self {
        let seats = Arc::new(Semaphore::new(max_watchers));
        Self { events, relayed: Events::default(), seats, max_watchers, phase }
    }

    /// Tells these too. Only to people: were they told to other processes, two that listen to each other would never
    /// come to an end.
    #[must_use]
    pub fn with_relayed(self, relayed: Events) -> Self {
        Self { relayed, ..self }
    }

    /// The events from now on, in the form of `text/event-stream`.
    pub fn watch(&self) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + use<>, Fault> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| self.full())?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Watcher {
            events: self.events.subscribe(),
            relayed: self.relayed.subscribe(),
            _relayed: self.relayed.clone(),
            phase: self.phase.clone(),
            heartbeat,
            told: 0,
            greeted: false,
            _seat: seat,
        };
        Ok(stream::unfold(watcher, |mut watcher| async move { Some((Ok(watcher.next().await?), watcher)) }))
    }

    fn full(&self) -> Fault {
        let detail = format!("{} watchers are connected, which is the most", self.max_watchers);
        Fault::new(Code::Overloaded, detail).retry_after(30)
    }
}

struct Watcher {
    events: broadcast::Receiver<Event>,
    relayed: broadcast::Receiver<Event>,
    /// Nobody may relay anything, which does not end the stream.
    _relayed: Events,
    phase: watch::Receiver<Phase>,
    heartbeat: Interval,
    told: u64,
    greeted: bool,
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next piece of the stream; none when it ends.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(b": watching\nretry: 2000\n\n"));
        }
        let event = tokio::select! {
            () = stopping(&mut self.phase) => return None,
            event = self.events.recv() => event,
            event = self.relayed.recv() => event,
            _ = self.heartbeat.tick() => return Some(Bytes::from_static(b": still here\n\n")),
        };
        self.written(event)
    }

    fn written(&mut self, event: Result<Event, RecvError>) -> Option<Bytes> {
        match event {
            Ok(event) => {
                self.told += 1;
                let data = serde_json::to_string(&event).ok()?;
                Some(format!("id: {}\nevent: {}\ndata: {data}\n\n", self.told, event.name()).into())
            }
            Err(RecvError::Lagged(missed)) => Some(format!("event: missed\ndata: {{\"missed\":{missed}}}\n\n").into()),
            Err(RecvError::Closed) => None,
        }
    }
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // An error says that the node is gone, which is no less of an end.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt;

    use super::*;

    async fn text(stream: &mut (impl Stream<Item = Result<Bytes, Infallible>> + Unpin)) -> String {
        let piece = stream.next().await.expect("the stream goes on").unwrap();
        String::from_utf8(piece.to_vec()).unwrap()
    }

    fn event(profile_id: &str) -> Event {
        Event::Profile { profile_id: profile_id.into(), change: "put".into() }
    }

    #[actix_web::test]
    async fn a_watcher_sees_events_in_order_and_hears_what_it_missed() {
        let (events, phase) = (Events::default(), watch::channel(Phase::Serving).0);
        let live = Live::new(events.clone(), 2, phase.subscribe());
        events.publish(event("before"));
        let mut watcher = pin!(live.watch().unwrap());
        assert!(text(&mut watcher).await.starts_with(": watching"));
        events.publish(event("line\nbreak"));
        let told = text(&mut watcher).await;
        assert!(told.starts_with("id: 1\nevent: profile\ndata: {") && told.contains(r"line\nbreak"), "{told}");
        for number in 0..1_000 {
            events.publish(event(&number.to_string()));
        }
        assert!(text(&mut watcher).await.starts_with("event: missed\n"));
        assert!(text(&mut watcher).await.starts_with("id: 2\n"));
    }

    #[actix_web::test]
    async fn seats_are_bounded_and_come_back() {
        let phase = watch::channel(Phase::Serving).0;
        let live = Live::new(Events::default(), 1, phase.subscribe());
        let first = live.watch().unwrap();
        assert_eq!(live.watch().err().unwrap().code, Code::Overloaded);
        drop(first);
        assert!(live.watch().is_ok());
    }

    #[actix_web::test]
    async fn streams_end_when_the_node_stops() {
        let phase = watch::channel(Phase::Serving).0;
        let live = Live::new(Events::default(), 1, phase.subscribe());
        let mut watcher = pin!(live.watch().unwrap());
        text(&mut watcher).await;
        phase.send_replace(Phase::Stopping);
        assert!(watcher.next().await.is_none());
    }
}
