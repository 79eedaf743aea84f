//! Listens to the events of another process, and tells them here. A connection that ends, or says nothing for too
//! long, is made anew; what happened meanwhile is not told, as for any watcher that was away.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::{sleep, timeout};

use crate::actors::{Event, Events};
use crate::clients::Peer;
use crate::http::live::EVENTS_ROUTE;
use crate::protocol::fault::Fault;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The stream says at least every 15 s that it is there.
const SILENCE: Duration = Duration::from_secs(45);
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The longest line; an event is far below it.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Listens for ever.
pub(super) async fn listen(peer: Peer, events: Events) {
    let mut pause = MIN_PAUSE;
    loop {
        match peer.watch(EVENTS_ROUTE, CONNECT_TIMEOUT).await {
            Ok(stream) => {
                pause = MIN_PAUSE;
                tell(stream, &events).await;
                tracing::debug!(peer = peer.base(), "the events of a peer ended; listening anew");
            }
            Err(fault) => tracing::debug!(peer = peer.base(), %fault, "the events of a peer cannot be heard"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Tells what comes until it ends.
async fn tell(mut stream: impl Stream<Item = Result<Bytes, Fault>> + Unpin, events: &Events) {
    let mut lines = Lines::default();
    while let Ok(Some(Ok(piece))) = timeout(SILENCE, stream.next()).await {
        if lines.take(&piece, |line| tell_line(line, events)).is_err() {
            return;
        }
    }
}

/// Each event is one line of data; the rest of the form is for browsers. What does not read as an event (one of a
/// newer release, or that some were missed) is left out.
fn tell_line(line: &[u8], events: &Events) {
    let Some(data) = line.strip_prefix(b"data: ") else { return };
    if let Ok(event) = serde_json::from_slice::<Event>(data) {
        events.publish(event);
    }
}

/// Cuts pieces into lines.
#[derive(Debug, Default)]
struct Lines(BytesMut);

/// A line is longer than any of ours.
#[derive(Debug)]
struct TooLong;

impl Lines {
    fn take(&mut self, piece: &[u8], mut on_line: impl FnMut(&[u8])) -> Result<(), TooLong> {
        self.0.extend_from_slice(piece);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line = self.0.split_to(end + 1);
            on_line(&line[..end]);
        }
        if self.0.len() > MAX_LINE_BYTES { Err(TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_pieces_are_cut() {
        let text = b": watching\n\nid: 1\nevent: run\ndata: {\"a\":1}\n\n";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.take(piece, |line| found.push(String::from_utf8(line.to_vec()).unwrap())).unwrap();
            }
            assert_eq!(found, [": watching", "", "id: 1", "event: run", "data: {\"a\":1}", ""]);
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let piece = [b'x'; 1 << 10];
        assert!((0..100).any(|_| lines.take(&piece, |_| ()).is_err()));
    }

    #[test]
    fn an_event_comes_out_as_it_went_in() {
        let (events, told) = (Events::default(), Events::default());
        let (mut said, mut heard) = (events.subscribe(), told.subscribe());
        for event in [
            Event::Run {
                run_id: "r\n1".into(),
                profile_id: "p".into(),
                drone_id: "d".into(),
                state: "failed".into(),
                inserted: 1,
                known: 2,
                revised: 1,
            },
            Event::Drone { drone_id: "d".into(), state: "online".into() },
            Event::Profile { profile_id: "p".into(), change: "put".into() },
        ] {
            events.publish(event);
            let written = serde_json::to_string(&said.try_recv().unwrap()).unwrap();
            tell_line(format!("data: {written}").as_bytes(), &told);
            assert_eq!(serde_json::to_string(&heard.try_recv().unwrap()).unwrap(), written);
        }
        tell_line(b"data: {\"missed\":3}", &told);
        tell_line(b": still here", &told);
        assert!(heard.try_recv().is_err());
    }
}
