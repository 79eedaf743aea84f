//! What happens now, for whoever watches: a bounded broadcast, told as server-sent events. A watcher that is too
//! slow is told how many events it missed; it never slows the others or the node.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::protocol::fault::{Code, Fault};

/// Events that a slow watcher may lag behind before it misses some.
const BACKLOG: usize = 256;
/// A comment this often keeps the connection open through proxies, and finds the watchers that are gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The source of events. Clones share it.
#[derive(Clone, Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    last_id: Arc<AtomicU64>,
    seats: Arc<Semaphore>,
    max_subscribers: usize,
    closed: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct Event {
    id: u64,
    kind: &'static str,
    data: Arc<str>,
}

impl Events {
    pub fn new(max_subscribers: usize) -> Self {
        Self {
            sender: broadcast::channel(BACKLOG).0,
            last_id: Arc::default(),
            seats: Arc::new(Semaphore::new(max_subscribers)),
            max_subscribers,
            closed: watch::channel(false).0,
        }
    }

    /// Tells all who watch. Costs next to nothing while nobody does.
    pub fn publish(&self, kind: &'static str, data: &impl Serialize) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        let Ok(data) = serde_json::to_string(data) else { return };
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        // An error says that the last watcher left meanwhile.
        let _ = self.sender.send(Event { id, kind, data: data.into() });
    }

    /// Ends all streams and long polls, so that the server can stop.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Resolves once the source is closed.
    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender lives as long as `self`, so there is nothing to learn from an error.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// The events from now on, in the form of `text/event-stream`.
    pub fn subscribe(&self) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + use<>, Fault> {
        let max = self.max_subscribers;
        let full = |_| {
            Fault::new(Code::Overloaded, format!("{max} watchers are connected, which is the most")).retry_after(30)
        };
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(full)?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Watcher {
            events: self.sender.subscribe(),
            closed: self.closed.subscribe(),
            heartbeat,
            greeted: false,
            _seat: seat,
        };
        Ok(stream::unfold(watcher, |mut watcher| async move { Some((Ok(watcher.next().await?), watcher)) }))
    }
}

struct Watcher {
    events: broadcast::Receiver<Event>,
    closed: watch::Receiver<bool>,
    heartbeat: Interval,
    greeted: bool,
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next piece of the stream; none when it ends.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(b": watching\nretry: 2000\n\n"));
        }
        tokio::select! {
            _ = self.closed.wait_for(|closed| *closed) => None,
            event = self.events.recv() => written(event),
            _ = self.heartbeat.tick() => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

fn written(event: Result<Event, broadcast::error::RecvError>) -> Option<Bytes> {
    match event {
        Ok(Event { id, kind, data }) => Some(format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()),
        Err(broadcast::error::RecvError::Lagged(missed)) => {
            Some(format!("event: missed\ndata: {{\"missed\":{missed}}}\n\n").into())
        }
        Err(broadcast::error::RecvError::Closed) => None,
    }
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

    #[actix_web::test]
    async fn a_watcher_sees_events_in_order_and_hears_what_it_missed() {
        let events = Events::new(2);
        events.publish("run", &"nobody hears this");
        let mut watcher = pin!(events.subscribe().unwrap());
        assert!(text(&mut watcher).await.starts_with(": watching"));
        events.publish("run", &serde_json::json!({"run_id": "r\n1"}));
        assert_eq!(text(&mut watcher).await, "id: 1\nevent: run\ndata: {\"run_id\":\"r\\n1\"}\n\n");
        for number in 0..BACKLOG + 10 {
            events.publish("drone", &number);
        }
        assert!(text(&mut watcher).await.contains("{\"missed\":10}"));
        assert!(text(&mut watcher).await.contains("data: 10\n"));
    }

    #[actix_web::test]
    async fn seats_are_bounded_and_come_back() {
        let events = Events::new(1);
        let first = events.subscribe().unwrap();
        assert_eq!(events.subscribe().err().unwrap().code, Code::Overloaded);
        drop(first);
        assert!(events.subscribe().is_ok());
    }

    #[actix_web::test]
    async fn closing_ends_every_stream() {
        let events = Events::new(1);
        let mut watcher = pin!(events.subscribe().unwrap());
        text(&mut watcher).await;
        events.close();
        assert!(watcher.next().await.is_none());
        events.closed().await;
        assert!(events.is_closed());
    }
}
