//! One typed client for each role: `Local` is a mailbox in this process, `Remote` the same role elsewhere. Callers
//! cannot tell, and which it is is settings, never code. A message names its route, reply and safety once
//! (`protocol::call`), so one method serves them all.

mod control_plane;
mod greeting;
mod hang;
mod peer;
mod shown_key;
mod tls;

use actix::{Actor, Context, Handler};

use crate::protocol::call::Call;
use crate::protocol::fault::{Code, Fault};
use crate::runtime::{AskError, Handle};

pub use control_plane::{ControlPlane, Fetched};
pub use greeting::Unfit;
pub use hang::Hang;
pub use peer::{Peer, decode};
pub use tls::{client_config, install_crypto};

/// A role's client. `A` is the actor that answers where the role is local.
#[derive(Debug)]
pub enum Client<A: Actor> {
    Local(Handle<A>),
    Remote(Peer),
}

impl<A: Actor> Clone for Client<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(handle) => Self::Local(handle.clone()),
            Self::Remote(peer) => Self::Remote(peer.clone()),
        }
    }
}

impl<A: Actor> Client<A> {
    /// Asks and waits for the reply. The fault says whether the message was handled (`Code::retry`).
    pub async fn ask<M>(&self, message: M) -> Result<M::Reply, Fault>
    where
        A: Actor<Context = Context<A>> + Handler<M>,
        M: Call,
    {
        match self {
            Self::Local(handle) => handle.ask(message).await.map_err(fault_of)?,
            Self::Remote(peer) => peer.call(&message).await,
        }
    }

    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

/// What a failed ask means to the one who asked.
pub fn fault_of(error: AskError) -> Fault {
    let detail = error.to_string();
    match error {
        AskError::Overloaded => Fault::new(Code::Overloaded, detail).retry_after(1),
        AskError::Restarting => Fault::new(Code::Restarting, detail).retry_after(1),
        AskError::Down => Fault::new(Code::Unavailable, detail).retry_after(5),
        AskError::Crashed => Fault::new(Code::Crashed, detail),
        AskError::Deadline => Fault::new(Code::Deadline, detail),
    }
}
