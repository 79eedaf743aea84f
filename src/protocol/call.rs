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
    /// Whether it only looks: then nobody waits for it as long as for a commit.
    const IS_READ: bool;
}

/// Declares calls: `calls! { GetProfile => ProfileView, "/internal/registry/profile", read; }`. A `read` changes nothing,
/// a `repeatable` one may be sent twice, a `once` must not.
macro_rules! calls {
    ($($message:ty => $reply:ty, $route:literal, $kind:ident;)+) => {
        $(
            impl actix::Message for $message {
                type Result = Result<$reply, $crate::protocol::fault::Fault>;
            }
            impl $crate::protocol::call::Call for $message {
                type Reply = $reply;
                const ROUTE: &'static str = $route;
                const REPEATABLE: bool = calls!(@ $kind);
                const IS_READ: bool = calls!(@read $kind);
            }
        )+
    };
    (@ repeatable) => { true };
    (@ read) => { true };
    (@ once) => { false };
    (@read read) => { true };
    (@read $other:ident) => { false };
}
pub(crate) use calls;

/// The reply of a call that has nothing to tell but that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Done {}
