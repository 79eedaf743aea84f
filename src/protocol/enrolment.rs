//! How a drone comes by a key of its own: an operator makes a token, a drone joins with it. Tokens and keys travel as
//! digests between the roles; only the answer to the operator holds a token in clear, once. The coordinator answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::calls;
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, TenantId};

/// Uses of one token at most.
pub const MAX_USES: u32 = 10_000;
/// The longest life of a token: 90 days.
pub const MAX_LIFE_S: u32 = 90 * 86_400;
/// The longest note beside a token.
pub const MAX_NOTE_CHARS: usize = 200;

/// What a token is to be good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InviteSpec {
    /// Drones that may join with it, 1 to 10,000.
    pub uses: u32,
    /// Seconds until it ends, at most 90 days.
    pub life_s: u32,
    /// For people, such as the place the drones are for.
    pub note: String,
}

impl Default for InviteSpec {
    fn default() -> Self {
        Self { uses: 1, life_s: 3_600, note: String::new() }
    }
}

/// A new token. It is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invited {
    pub token: String,
    #[serde(flatten)]
    pub invite: InviteView,
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invited").field("invite", &self.invite).finish_non_exhaustive()
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteView {
    pub invite_id: i64,
    pub note: String,
    pub uses: u32,
    /// Drones that have joined with it.
    pub used: u32,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// When it was withdrawn.
    pub withdrawn_ms: Option<i64>,
}

/// The key of a drone that joined with a token. A drone with the shared key has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroneKeyView {
    /// The token it joined with.
    pub invite_id: i64,
    pub enrolled_ms: i64,
    /// When a new key took the place of the one before.
    pub rotated_ms: Option<i64>,
    /// The drone is asked for a new key and has not made one yet.
    pub rotation_asked: bool,
    pub revoked_ms: Option<i64>,
    /// Requests with the key since it was revoked.
    pub refused: u64,
    pub refused_ms: Option<i64>,
}

/// What a key that was shown is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStanding {
    Unknown,
    Good {
        drone_id: DroneId,
        /// The drone is asked for a new key.
        rotate: bool,
    },
    Revoked {
        drone_id: DroneId,
    },
}

/// The drone has its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    #[schema(value_type = String)]
    pub drone_id: DroneId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invite {
    pub tenant: TenantId,
    pub spec: InviteSpec,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListInvites {
    pub tenant: TenantId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WithdrawInvite {
    pub tenant: TenantId,
    pub invite_id: i64,
}

/// A drone joins with a token. It has made the key itself; asking again with the same key changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrol {
    pub tenant: TenantId,
    pub token: Digest,
    pub drone_id: DroneId,
    pub key: Digest,
}

/// What a key is worth. Showing a drone's next key makes it the one in force; showing a revoked one is counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckKey {
    pub tenant: TenantId,
    pub key: Digest,
}

/// Whether a drone has a key of its own in force, so that the shared key does not speak for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOwnKey {
    pub tenant: TenantId,
    pub drone_id: DroneId,
}

/// Asks a drone for a new key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskRotation {
    pub tenant: TenantId,
    pub drone_id: DroneId,
}

/// A drone's next key, in force when it is first shown; the one before is good until then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetNextKey {
    pub tenant: TenantId,
    pub drone_id: DroneId,
    pub key: Digest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokeKey {
    pub tenant: TenantId,
    pub drone_id: DroneId,
}

calls! {
    Invite         => Invited,         "/internal/coordinator/invite", once;
    ListInvites    => Vec<InviteView>, "/internal/coordinator/list-invites", read;
    WithdrawInvite => InviteView,      "/internal/coordinator/withdraw-invite", repeatable;
    Enrol          => Enrolled,        "/internal/coordinator/enrol", repeatable;
    CheckKey       => KeyStanding,     "/internal/coordinator/check-key", read;
    CheckOwnKey    => bool,            "/internal/coordinator/check-own-key", read;
    AskRotation    => DroneKeyView,    "/internal/coordinator/ask-rotation", repeatable;
    SetNextKey     => super::call::Done, "/internal/coordinator/set-next-key", repeatable;
    RevokeKey      => DroneKeyView,    "/internal/coordinator/revoke-key", repeatable;
}
