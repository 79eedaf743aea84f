//! What happens, told to whoever listens (the gateway's event stream). A listener that is too slow loses the oldest
//! events, never holds anyone up.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::domain::drift::{Change, Fate};

/// Events kept for a slow listener.
const BACKLOG: usize = 256;

/// A word of ours; owned where it came from another process.
type Word = Cow<'static, str>;

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    Run {
        run_id: String,
        profile_id: String,
        drone_id: String,
        state: Word,
        inserted: u32,
        known: u32,
        #[serde(default)]
        revised: u32,
    },
    /// A run looked other than those before it.
    #[serde(rename = "run.drifted")]
    RunDrifted {
        run_id: String,
        profile_id: String,
        drone_id: String,
        fate: Option<Fate>,
        changes: Vec<Change>,
    },
    /// Records of a run that were held were released or discarded.
    #[serde(rename = "run.settled")]
    RunSettled {
        run_id: String,
        profile_id: String,
        fate: Fate,
    },
    Drone {
        drone_id: String,
        state: Word,
    },
    Profile {
        profile_id: String,
        change: Word,
    },
}

impl Event {
    /// The SSE event name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::RunDrifted { .. } => "run.drifted",
            Self::RunSettled { .. } => "run.settled",
            Self::Drone { .. } => "drone",
            Self::Profile { .. } => "profile",
        }
    }
}

/// Where events go. Clones are the same stream.
#[derive(Debug, Clone)]
pub struct Events {
    sender: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }
}

impl Events {
    pub fn publish(&self, event: Event) {
        // An error says that nobody listens.
        let _ = self.sender.send(event);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }
}
