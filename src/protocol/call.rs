//! The shape of a message between roles. One declaration gives it its reply, its route and whether it may be
//! sent twice; the local mailbox and the remote endpoint both follow from it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// A question that a role answers.
pub trait Call:
    actix::Message<Result = Result<Self::Reply, Fault>> + Serialize + DeserializeOwned + Send + 'static
{
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Path of the internal endpoint, named once.
    const ROUTE: &'static str;
    /// Whether a caller may repeat it when the outcome is unknown.
    const REPEATABLE: bool;
}

/// Declares calls: `calls! { GetProfile => ProfileView, "/internal/registry/profile", repeatable; }`
macro_rules! calls {
    ($($message:ty => $reply:ty, $route:literal, $repeat:ident;)+) => {
        $(
            impl actix::Message for $message {
                type Result = Result<$reply, $crate::protocol::fault::Fault>;
            }
            impl $crate::protocol::call::Call for $message {
                type Reply = $reply;
                const ROUTE: &'static str = $route;
                const REPEATABLE: bool = calls!(@ $repeat);
            }
        )+
    };
    (@ repeatable) => { true };
    (@ once) => { false };
}
pub(crate) use calls;

/// The reply of a call that has nothing to tell but that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Done {}
