//! The registry's contract: profiles by id, every version kept by content digest.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Done, calls};
use super::fault::Place;
use super::paging::{Page, PageRequest};
use crate::domain::digest::Digest;
use crate::domain::ids::{ProfileId, TenantId};

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A file of the profiles folder; the folder wins whenever the file changes.
    Folder,
    /// The API.
    Api,
}

/// A profile without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileSummary {
    #[schema(value_type = String)]
    pub id: ProfileId,
    pub name: String,
    /// The author's own version text.
    pub version: String,
    /// Content digest of the YAML text: names this version, and is its ETag.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// False when the profile itself says `schedule.enabled: false`, or when it is paused.
    pub enabled: bool,
    /// Set by `:pause`, cleared by `:resume`; survives new versions.
    pub paused: bool,
    pub origin: Origin,
    /// File below the profiles folder, where it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Unix milliseconds of this version's arrival.
    pub updated_ms: i64,
}

/// A profile with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    #[serde(flatten)]
    pub summary: ProfileSummary,
    /// The YAML as written.
    pub yaml: String,
}

/// One version of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    #[schema(value_type = String)]
    pub digest: Digest,
    pub version: String,
    pub current: bool,
    /// Unix milliseconds of its first arrival.
    pub created_ms: i64,
}

/// What a check of a profile's text found. Empty problems: it is valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Validation {
    pub valid: bool,
    /// Each with `line:column` and what was expected.
    pub problems: Vec<Place>,
}

/// A file of the folder that could not be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BrokenFile {
    pub path: String,
    /// Each with `file:line:column`.
    pub problems: Vec<Place>,
}

/// How a put meets what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutMode {
    /// Refuse when the id exists.
    Create,
    /// Create or replace.
    Replace,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListProfiles {
    pub tenant: TenantId,
    pub enabled: Option<bool>,
    pub page: PageRequest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProfile {
    pub tenant: TenantId,
    pub id: ProfileId,
    /// A certain version; the current one when absent.
    pub digest: Option<Digest>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutProfile {
    pub tenant: TenantId,
    pub yaml: String,
    /// The id that the URL names; must equal the text's own.
    pub expected_id: Option<ProfileId>,
    pub mode: PutMode,
    /// Refuse unless this is the current version (`If-Match`).
    pub if_match: Option<Digest>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteProfile {
    pub tenant: TenantId,
    pub id: ProfileId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListVersions {
    pub tenant: TenantId,
    pub id: ProfileId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetPaused {
    pub tenant: TenantId,
    pub id: ProfileId,
    pub paused: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RollBack {
    pub tenant: TenantId,
    pub id: ProfileId,
    /// The version to return to; the one before the current when absent.
    pub to: Option<Digest>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ValidateProfile {
    pub yaml: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListBrokenFiles {
    pub tenant: TenantId,
}

calls! {
    ListProfiles    => Page<ProfileSummary>, "/internal/registry/list-profiles", read;
    GetProfile      => ProfileView,          "/internal/registry/get-profile", read;
    PutProfile      => ProfileView,          "/internal/registry/put-profile", once;
    DeleteProfile   => Done,                 "/internal/registry/delete-profile", repeatable;
    ListVersions    => Vec<VersionView>,     "/internal/registry/list-versions", read;
    SetPaused       => ProfileSummary,       "/internal/registry/set-paused", repeatable;
    RollBack        => ProfileView,          "/internal/registry/roll-back", once;
    ValidateProfile => Validation,           "/internal/registry/validate-profile", read;
    ListBrokenFiles => Vec<BrokenFile>,      "/internal/registry/list-broken-files", read;
}
