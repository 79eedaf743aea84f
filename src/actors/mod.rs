//! The roles of the control plane and the drone, as supervised actors. Each is thin: what it decides is pure state
//! beside it, what it keeps is in the store, and what it says is in `protocol`.

pub mod aggregator;
pub mod coordinator;
pub mod drone;

mod events;
pub mod registry;
pub mod reporter;

use crate::clients::Client;

pub use aggregator::Aggregator;
pub use coordinator::Coordinator;
pub use events::{Event, Events};
pub use registry::Registry;
pub use reporter::Reporter;

pub type RegistryClient = Client<Registry>;
pub type AggregatorClient = Client<Aggregator>;
pub type CoordinatorClient = Client<Coordinator>;
pub type ReporterClient = Client<Reporter>;

/// One client for each role, local or remote.
#[derive(Debug, Clone)]
pub struct Clients {
    pub registry: RegistryClient,
    pub aggregator: AggregatorClient,
    pub coordinator: CoordinatorClient,
    pub reporter: ReporterClient,
}

/// Implements `Handler` for messages whose answer needs no change of the actor's own state: the actor's method makes
/// a future of what it holds (clones of the store and the clock) and the mailbox goes on at once.
macro_rules! answers {
    ($actor:ty { $($message:ty => $method:ident),+ $(,)? }) => {
        $(
            impl actix::Handler<$message> for $actor {
                type Result = actix::ResponseFuture<<$message as actix::Message>::Result>;

                fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                    Box::pin(Self::$method(self.seed.clone(), message))
                }
            }
        )+
    };
}
pub(crate) use answers;
