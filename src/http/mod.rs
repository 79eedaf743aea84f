//! The HTTP surface: decode, ask a client, encode, and nothing else. Every error leaves as problem+json out of the
//! one table of codes. Knows no SQL and no actor's state; of the store only its vital signs.

pub mod accept;
pub mod area;
pub mod auth;
pub mod body;
pub mod context;
pub mod docs;
pub mod elsewhere;
pub mod etag;
pub mod extract;
pub mod health;
mod internal;
pub mod keyring;
pub mod live;
pub mod metrics;
pub mod middleware;
pub mod node;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod query;
pub mod rate;
pub mod routes;
pub mod startup;
pub mod state;
pub mod surface;
#[cfg(test)]
mod testkit;

pub use elsewhere::Elsewhere;
pub use node::Phase;
pub use startup::Bound;
pub use surface::Surface;
