//! What a process says when another one of ours greets it: who it is, and which form of messages it speaks.

use serde::{Deserialize, Serialize};

/// The form of all messages in this module's neighbours, and of the drones' public routes. It goes up by one with a
/// change that a process of the release before cannot read.
pub const PROTOCOL: u32 = 1;
/// The oldest form that this program still speaks.
pub const OLDEST_PROTOCOL: u32 = 1;

/// The route; it asks for the key, so that a greeting also proves that both have the same.
pub const HELLO_ROUTE: &str = "/internal/hello";

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the program, for people.
    pub version: String,
    pub protocol: u32,
    /// The roles that run there.
    pub roles: Vec<String>,
}

/// Whether this program can speak with one of that protocol.
pub fn is_spoken(protocol: u32) -> bool {
    (OLDEST_PROTOCOL..=PROTOCOL).contains(&protocol)
}
