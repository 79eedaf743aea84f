//! Profiles as they are read: one, a page of them, the enabled ones, the versions of one.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::paging::{Page, PageRequest};
use crate::protocol::registry::{ProfileSummary, ProfileView, VersionView};
use crate::store::error::StoreError;
use crate::store::rows::{digest_of, needs_of, profile_summary, stored};
use crate::store::tenants::Tenant;
use crate::store::types::EnabledProfile;

macro_rules! select_profiles {
    ($yaml:literal, $condition:literal) => {
        concat!(
            "SELECT p.profile_id, p.paused, p.updated_ms, v.id AS version_row, v.digest, v.name, v.version, v.enabled,
                v.origin, v.path, ",
            $yaml,
            " FROM profiles p JOIN profile_versions v ON v.profile = p.id
             WHERE p.tenant_id = ? AND p.deleted_ms IS NULL AND ",
            $condition
        )
    };
}

const CURRENT: &str = select_profiles!("v.yaml", "v.id = p.version AND p.profile_id = ?");
const OF_DIGEST: &str = select_profiles!("v.yaml", "p.profile_id = ? AND v.digest = ?");
pub(super) const PAGE: &str = select_profiles!(
    "NULL AS yaml",
    "v.id = p.version AND p.profile_id > ? AND (? IS NULL OR ? = (v.enabled AND NOT p.paused))
     ORDER BY p.profile_id LIMIT ?"
);

impl Sqlite {
    /// The integer of a profile, hidden or not.
    pub(super) async fn profile_row(&self, tenant: Tenant, id: &ProfileId) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query("SELECT id FROM profiles WHERE tenant_id = ? AND profile_id = ?");
        let row = query.bind(tenant.0).bind(id.as_str()).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(in crate::store) async fn profile(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        digest: Option<&Digest>,
    ) -> Result<ProfileView, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let current = current(&mut reader, tenant, id).await?;
        let Some(digest) = digest.filter(|digest| **digest != current.summary.digest) else { return Ok(current) };
        let query = sqlx::query(OF_DIGEST).bind(tenant.0).bind(id.as_str()).bind(&digest.as_bytes()[..]);
        let row = query.fetch_optional(&mut *reader).await?;
        let unknown = || StoreError::UnknownVersion { profile: id.clone(), digest: *digest };
        view(&row.ok_or_else(unknown)?)
    }

    pub(in crate::store) async fn profiles(
        &self,
        tenant: Tenant,
        enabled: Option<bool>,
        page: &PageRequest,
    ) -> Result<Page<ProfileSummary>, StoreError> {
        let limit = page.limit()?;
        let query = sqlx::query(PAGE).bind(tenant.0).bind(page.name().unwrap_or(""));
        let query = query.bind(enabled).bind(enabled).bind(i64::from(limit) + 1);
        let rows = query.fetch_all(&self.readers).await?;
        let items = rows.iter().map(|row| Ok(profile_summary!(row))).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Page::cut(items, limit, |profile| profile.id.as_str().to_owned()))
    }

    pub(in crate::store) async fn enabled_profiles(&self, tenant: Tenant) -> Result<Vec<EnabledProfile>, StoreError> {
        let text = "SELECT p.profile_id, v.digest, v.needs FROM profiles p JOIN profile_versions v ON v.id = p.version
            WHERE p.tenant_id = ? AND p.deleted_ms IS NULL AND v.enabled AND NOT p.paused ORDER BY p.profile_id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
        let enabled = |row: &SqliteRow| {
            let id = stored(ProfileId::parse(row.try_get(0)?))?;
            Ok(EnabledProfile { id, digest: digest_of(row.try_get(1)?)?, needs: needs_of(row.try_get(2)?)? })
        };
        rows.iter().map(enabled).collect()
    }

    pub(in crate::store) async fn profiles_revision(&self, tenant: Tenant) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT profiles_revision FROM tenants WHERE id = ?").bind(tenant.0);
        Ok(query.fetch_optional(&self.readers).await?.map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// The latest put first.
    pub(in crate::store) async fn versions(
        &self,
        tenant: Tenant,
        id: &ProfileId,
    ) -> Result<Vec<VersionView>, StoreError> {
        let text = "SELECT v.digest, v.version, v.id = p.version AS current, v.created_ms FROM profiles p
            JOIN profile_versions v ON v.profile = p.id
            WHERE p.tenant_id = ? AND p.profile_id = ? AND p.deleted_ms IS NULL ORDER BY v.turn DESC";
        let rows = sqlx::query(text).bind(tenant.0).bind(id.as_str()).fetch_all(&self.readers).await?;
        if rows.is_empty() {
            return Err(StoreError::UnknownProfile(id.clone()));
        }
        let version = |row: &SqliteRow| {
            Ok(VersionView {
                digest: digest_of(row.try_get(0)?)?,
                version: row.try_get(1)?,
                current: row.try_get(2)?,
                created_ms: row.try_get(3)?,
            })
        };
        rows.iter().map(version).collect()
    }
}

/// The current version of a profile that is not hidden.
pub(super) async fn current(
    db: &mut SqliteConnection,
    tenant: Tenant,
    id: &ProfileId,
) -> Result<ProfileView, StoreError> {
    let row = sqlx::query(CURRENT).bind(tenant.0).bind(id.as_str()).fetch_optional(db).await?;
    view(&row.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?)
}

fn view(row: &SqliteRow) -> Result<ProfileView, StoreError> {
    Ok(ProfileView { summary: profile_summary!(row), yaml: row.try_get("yaml")? })
}
