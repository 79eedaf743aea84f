//! Profiles as they are changed: put, deleted, paused, rolled back. Each change makes the tenant's revision grow.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::job::{Bench, Write};
use super::profiles::current;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::registry::{ProfileSummary, ProfileView, PutMode};
use crate::store::error::StoreError;
use crate::store::observed::key_text;
use crate::store::rekey::rekey;
use crate::store::rows::{needs_text, origin_text};
use crate::store::tenants::Tenant;
use crate::store::types::NewVersion;

impl Sqlite {
    pub(in crate::store) async fn put_profile(
        &self,
        tenant: Tenant,
        version: NewVersion,
        mode: PutMode,
        if_match: Option<Digest>,
        now_ms: i64,
    ) -> Result<ProfileView, StoreError> {
        self.write(Put { tenant, version, mode, if_match, now_ms }).await
    }

    pub(in crate::store) async fn delete_profile(
        &self,
        tenant: Tenant,
        id: ProfileId,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(Delete { tenant, id, now_ms }).await
    }

    pub(in crate::store) async fn set_paused(
        &self,
        tenant: Tenant,
        id: ProfileId,
        paused: bool,
    ) -> Result<ProfileSummary, StoreError> {
        self.write(SetPaused { tenant, id, paused }).await
    }

    pub(in crate::store) async fn roll_back(
        &self,
        tenant: Tenant,
        id: ProfileId,
        to: Option<Digest>,
        now_ms: i64,
    ) -> Result<ProfileView, StoreError> {
        self.write(RollBack { tenant, id, to, now_ms }).await
    }
}

async fn bump(db: &mut SqliteConnection, tenant: Tenant) -> Result<(), StoreError> {
    let query = sqlx::query("UPDATE tenants SET profiles_revision = profiles_revision + 1 WHERE id = ?");
    query.bind(tenant.0).execute(db).await?;
    Ok(())
}

/// The profile's row and, unless it is hidden or new, the digest of its current version.
struct Standing {
    row: i64,
    current: Option<Digest>,
}

struct Put {
    tenant: Tenant,
    version: NewVersion,
    mode: PutMode,
    if_match: Option<Digest>,
    now_ms: i64,
}

impl Write for Put {
    type Output = ProfileView;

    fn bytes(&self) -> usize {
        self.version.yaml.len()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<ProfileView, StoreError> {
        let db = &mut *bench.db;
        let id = &self.version.id;
        let standing = self.judge(db).await?;
        if let Some(standing) = standing.as_ref().filter(|standing| standing.current == Some(self.version.digest)) {
            self.note_origin(db).await?;
            rekey(db, standing.row).await?;
            return current(db, self.tenant, id).await;
        }
        let row = match standing {
            Some(standing) => standing.row,
            None => self.insert_profile(db).await?,
        };
        let version = self.keep_version(db, row).await?;
        // A profile that was deleted comes back, not paused.
        let text = "UPDATE profiles SET version = ?, updated_ms = ?,
            paused = CASE WHEN deleted_ms IS NULL THEN paused ELSE 0 END, deleted_ms = NULL WHERE id = ?";
        sqlx::query(text).bind(version).bind(self.now_ms).bind(row).execute(&mut *db).await?;
        rekey(db, row).await?;
        bump(db, self.tenant).await?;
        current(db, self.tenant, id).await
    }
}

impl Put {
    /// Refuses what the mode and the expected version forbid.
    async fn judge(&self, db: &mut SqliteConnection) -> Result<Option<Standing>, StoreError> {
        let id = &self.version.id;
        let query = sqlx::query("SELECT id FROM profiles WHERE tenant_id = ? AND profile_id = ?");
        let row = query.bind(self.tenant.0).bind(id.as_str()).fetch_optional(&mut *db).await?;
        let found = match current(db, self.tenant, id).await {
            Ok(view) => Some(view.summary.digest),
            Err(StoreError::UnknownProfile(_)) => None,
            Err(error) => return Err(error),
        };
        if self.mode == PutMode::Create && found.is_some() {
            return Err(StoreError::ProfileExists(id.clone()));
        }
        if self.if_match.is_some() && self.if_match != found {
            return Err(StoreError::VersionConflict { profile: id.clone(), current: found });
        }
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(|row| Standing { row, current: found }))
    }

    async fn insert_profile(&self, db: &mut SqliteConnection) -> Result<i64, StoreError> {
        let query = sqlx::query("INSERT INTO profiles (tenant_id, profile_id, updated_ms) VALUES (?, ?, ?)");
        let query = query.bind(self.tenant.0).bind(self.version.id.as_str()).bind(self.now_ms);
        let row = query.execute(&mut *db).await?.last_insert_rowid();
        sqlx::query("INSERT INTO counters (profile) VALUES (?)").bind(row).execute(db).await?;
        Ok(row)
    }

    /// The version's row; one that was put before only takes a new turn.
    async fn keep_version(&self, db: &mut SqliteConnection, profile: i64) -> Result<i64, StoreError> {
        let text = "INSERT INTO profile_versions
                (profile, digest, name, version, yaml, key_dims, enabled, origin, path, created_ms, needs, turn)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                (SELECT coalesce(max(turn), 0) + 1 FROM profile_versions WHERE profile = ?))
            ON CONFLICT (profile, digest) DO UPDATE
                SET turn = excluded.turn, origin = excluded.origin, path = excluded.path, key_dims = excluded.key_dims,
                    needs = excluded.needs
            RETURNING id";
        let new = &self.version;
        let query = sqlx::query(text).bind(profile).bind(&new.digest.as_bytes()[..]).bind(&new.name);
        let query = query
            .bind(&new.version)
            .bind(&new.yaml)
            .bind(key_text(&new.key))
            .bind(new.enabled)
            .bind(origin_text(new.origin));
        let query = query.bind(new.path.as_deref()).bind(self.now_ms).bind(needs_text(&new.needs)).bind(profile);
        Ok(query.fetch_one(db).await?.try_get(0)?)
    }

    /// The same text again, perhaps from another file, or put by a release that did not keep the key: no new version.
    async fn note_origin(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let text = "UPDATE profile_versions SET origin = ?, path = ?, key_dims = ? WHERE digest = ? AND profile =
            (SELECT id FROM profiles WHERE tenant_id = ? AND profile_id = ?)
            AND (origin <> ? OR path IS NOT ? OR key_dims IS NULL)";
        let (origin, path) = (origin_text(self.version.origin), self.version.path.as_deref());
        let query = sqlx::query(text).bind(origin).bind(path).bind(key_text(&self.version.key));
        let query = query.bind(&self.version.digest.as_bytes()[..]);
        let query = query.bind(self.tenant.0).bind(self.version.id.as_str()).bind(origin).bind(path);
        query.execute(db).await?;
        Ok(())
    }
}

struct Delete {
    tenant: Tenant,
    id: ProfileId,
    now_ms: i64,
}

impl Write for Delete {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        let text = "UPDATE profiles SET deleted_ms = ? WHERE tenant_id = ? AND profile_id = ? AND deleted_ms IS NULL";
        let query = sqlx::query(text).bind(self.now_ms).bind(self.tenant.0).bind(self.id.as_str());
        if query.execute(&mut *bench.db).await?.rows_affected() == 0 {
            return Err(StoreError::UnknownProfile(self.id.clone()));
        }
        bump(bench.db, self.tenant).await
    }
}

struct SetPaused {
    tenant: Tenant,
    id: ProfileId,
    paused: bool,
}

impl Write for SetPaused {
    type Output = ProfileSummary;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<ProfileSummary, StoreError> {
        let text = "UPDATE profiles SET paused = ? WHERE tenant_id = ? AND profile_id = ? AND deleted_ms IS NULL
            AND paused <> ?";
        let query = sqlx::query(text).bind(self.paused).bind(self.tenant.0).bind(self.id.as_str()).bind(self.paused);
        if query.execute(&mut *bench.db).await?.rows_affected() > 0 {
            bump(bench.db, self.tenant).await?;
        }
        Ok(current(bench.db, self.tenant, &self.id).await?.summary)
    }
}

struct RollBack {
    tenant: Tenant,
    id: ProfileId,
    to: Option<Digest>,
    now_ms: i64,
}

impl Write for RollBack {
    type Output = ProfileView;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<ProfileView, StoreError> {
        let db = &mut *bench.db;
        let now = current(db, self.tenant, &self.id).await?;
        if self.to == Some(now.summary.digest) {
            return Ok(now);
        }
        let version = self.find(db).await?;
        let text =
            "UPDATE profiles SET version = ?, updated_ms = ? WHERE tenant_id = ? AND profile_id = ? RETURNING id";
        let query = sqlx::query(text).bind(version).bind(self.now_ms).bind(self.tenant.0).bind(self.id.as_str());
        let row: i64 = query.fetch_one(&mut *db).await?.try_get(0)?;
        rekey(db, row).await?;
        bump(db, self.tenant).await?;
        current(db, self.tenant, &self.id).await
    }
}

impl RollBack {
    /// The wanted version, or the one whose turn was before the current one's: rolling back twice goes back two.
    async fn find(&self, db: &mut SqliteConnection) -> Result<i64, StoreError> {
        let by_digest = "SELECT v.id FROM profile_versions v JOIN profiles p ON p.id = v.profile
            WHERE p.tenant_id = ? AND p.profile_id = ? AND v.digest = ?";
        let by_turn = "SELECT v.id FROM profiles p JOIN profile_versions c ON c.id = p.version
            JOIN profile_versions v ON v.profile = p.id AND v.turn < c.turn
            WHERE p.tenant_id = ? AND p.profile_id = ? ORDER BY v.turn DESC LIMIT 1";
        let query = match &self.to {
            Some(digest) => {
                sqlx::query(by_digest).bind(self.tenant.0).bind(self.id.as_str()).bind(&digest.as_bytes()[..])
            }
            None => sqlx::query(by_turn).bind(self.tenant.0).bind(self.id.as_str()),
        };
        if let Some(row) = query.fetch_optional(db).await? {
            return Ok(row.try_get(0)?);
        }
        Err(match self.to {
            Some(digest) => StoreError::UnknownVersion { profile: self.id.clone(), digest },
            None => StoreError::NoEarlierVersion(self.id.clone()),
        })
    }
}
