//! Profiles as they are changed: put, deleted, paused, rolled back. Each change makes the tenant's revision grow.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use super::Postgres;
use super::desk::{LINKING_PATIENCE, Write};
use super::profiles::{current, lock_tenant};
use super::text::kept;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::protocol::registry::{ProfileSummary, ProfileView, PutMode};
use crate::store::error::StoreError;
use crate::store::observed::key_text;
use crate::store::rekey::rekey;
use crate::store::rows::{needs_text, origin_text};
use crate::store::tenants::Tenant;
use crate::store::types::NewVersion;

impl Postgres {
    pub(in crate::store) async fn put_profile(
        &self,
        tenant: Tenant,
        version: NewVersion,
        mode: PutMode,
        if_match: Option<Digest>,
        now_ms: i64,
    ) -> Result<ProfileView, StoreError> {
        self.desk.write(Put { tenant, version, mode, if_match, now_ms }).await
    }

    pub(in crate::store) async fn delete_profile(
        &self,
        tenant: Tenant,
        id: ProfileId,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.desk.write(Delete { tenant, id, now_ms }).await
    }

    pub(in crate::store) async fn set_paused(
        &self,
        tenant: Tenant,
        id: ProfileId,
        paused: bool,
    ) -> Result<ProfileSummary, StoreError> {
        self.desk.write(SetPaused { tenant, id, paused }).await
    }

    pub(in crate::store) async fn roll_back(
        &self,
        tenant: Tenant,
        id: ProfileId,
        to: Option<Digest>,
        now_ms: i64,
    ) -> Result<ProfileView, StoreError> {
        self.desk.write(RollBack { tenant, id, to, now_ms }).await
    }
}

async fn bump(db: &mut PgConnection, tenant: Tenant) -> Result<(), StoreError> {
    let ask = query("UPDATE tenants SET profiles_revision = profiles_revision + 1 WHERE id = $1");
    ask.bind(tenant.0).execute(db).await?;
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

    fn patience(&self) -> Duration {
        LINKING_PATIENCE
    }

    async fn run(&self, db: &mut PgConnection) -> Result<ProfileView, StoreError> {
        lock_tenant(db, self.tenant).await?;
        let id = &self.version.id;
        let standing = self.judge(db).await?;
        if standing.as_ref().and_then(|standing| standing.current) == Some(self.version.digest) {
            self.note_origin(db).await?;
            let row = standing.map(|standing| standing.row).unwrap_or_default();
            rekey(db, row).await?;
            return current(db, self.tenant, id).await;
        }
        let row = match standing {
            Some(standing) => standing.row,
            None => self.insert_profile(db).await?,
        };
        let version = self.keep_version(db, row).await?;
        // A profile that was deleted comes back, not paused.
        let text = "UPDATE profiles SET version = $1, updated_ms = $2,
            paused = (paused AND deleted_ms IS NULL), deleted_ms = NULL WHERE id = $3";
        query(text).bind(version).bind(self.now_ms).bind(row).execute(&mut *db).await?;
        rekey(db, row).await?;
        bump(db, self.tenant).await?;
        current(db, self.tenant, id).await
    }
}

impl Put {
    /// Refuses what the mode and the expected version forbid.
    async fn judge(&self, db: &mut PgConnection) -> Result<Option<Standing>, StoreError> {
        let id = &self.version.id;
        let ask = query("SELECT id FROM profiles WHERE tenant_id = $1 AND profile_id = $2");
        let row = ask.bind(self.tenant.0).bind(id.as_str()).fetch_optional(&mut *db).await?;
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

    async fn insert_profile(&self, db: &mut PgConnection) -> Result<i64, StoreError> {
        let ask = query("INSERT INTO profiles (tenant_id, profile_id, updated_ms) VALUES ($1, $2, $3) RETURNING id");
        let ask = ask.bind(self.tenant.0).bind(self.version.id.as_str()).bind(self.now_ms);
        let row: i64 = ask.fetch_one(&mut *db).await?.try_get(0)?;
        query("INSERT INTO counters (profile) VALUES ($1)").bind(row).execute(db).await?;
        Ok(row)
    }

    /// The version's row; one that was put before only takes a new turn.
    async fn keep_version(&self, db: &mut PgConnection, profile: i64) -> Result<i64, StoreError> {
        let text = "INSERT INTO profile_versions
                (profile, digest, name, version, yaml, enabled, origin, path, created_ms, key_dims, needs, turn)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                (SELECT coalesce(max(turn), 0) + 1 FROM profile_versions WHERE profile = $1))
            ON CONFLICT (profile, digest) DO UPDATE
                SET turn = excluded.turn, origin = excluded.origin, path = excluded.path, key_dims = excluded.key_dims,
                    needs = excluded.needs
            RETURNING id";
        let new = &self.version;
        let ask = query(text).bind(profile).bind(&new.digest.as_bytes()[..]).bind(kept(&new.name));
        let ask = ask.bind(kept(&new.version)).bind(kept(&new.yaml)).bind(new.enabled).bind(origin_text(new.origin));
        let ask =
            ask.bind(new.path.as_deref().map(kept)).bind(self.now_ms).bind(kept(&key_text(&new.key)).into_owned());
        let ask = ask.bind(needs_text(&new.needs));
        Ok(ask.fetch_one(db).await?.try_get(0)?)
    }

    /// The same text again, perhaps from another file, or put by a release that did not keep the key: no new version.
    async fn note_origin(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let text = "UPDATE profile_versions SET origin = $1, path = $2, key_dims = $6 WHERE digest = $3 AND profile =
            (SELECT id FROM profiles WHERE tenant_id = $4 AND profile_id = $5) 
            AND (origin <> $1 OR path IS DISTINCT FROM $2 OR key_dims IS NULL)";
        let (origin, path) = (origin_text(self.version.origin), self.version.path.as_deref().map(kept));
        let ask = query(text).bind(origin).bind(path).bind(&self.version.digest.as_bytes()[..]);
        let ask = ask.bind(self.tenant.0).bind(self.version.id.as_str());
        ask.bind(kept(&key_text(&self.version.key)).into_owned()).execute(db).await?;
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

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        lock_tenant(db, self.tenant).await?;
        let text =
            "UPDATE profiles SET deleted_ms = $1 WHERE tenant_id = $2 AND profile_id = $3 AND deleted_ms IS NULL";
        let ask = query(text).bind(self.now_ms).bind(self.tenant.0).bind(self.id.as_str());
        if ask.execute(&mut *db).await?.rows_affected() == 0 {
            return Err(StoreError::UnknownProfile(self.id.clone()));
        }
        bump(db, self.tenant).await
    }
}

struct SetPaused {
    tenant: Tenant,
    id: ProfileId,
    paused: bool,
}

impl Write for SetPaused {
    type Output = ProfileSummary;

    async fn run(&self, db: &mut PgConnection) -> Result<ProfileSummary, StoreError> {
        lock_tenant(db, self.tenant).await?;
        let text = "UPDATE profiles SET paused = $1 WHERE tenant_id = $2 AND profile_id = $3 AND deleted_ms IS NULL
            AND paused <> $1";
        let ask = query(text).bind(self.paused).bind(self.tenant.0).bind(self.id.as_str());
        if ask.execute(&mut *db).await?.rows_affected() > 0 {
            bump(db, self.tenant).await?;
        }
        Ok(current(db, self.tenant, &self.id).await?.summary)
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

    fn patience(&self) -> Duration {
        LINKING_PATIENCE
    }

    async fn run(&self, db: &mut PgConnection) -> Result<ProfileView, StoreError> {
        lock_tenant(db, self.tenant).await?;
        let now = current(db, self.tenant, &self.id).await?;
        if self.to == Some(now.summary.digest) {
            return Ok(now);
        }
        let version = self.find(db).await?;
        let text = "UPDATE profiles SET version = $1, updated_ms = $2 WHERE tenant_id = $3 AND profile_id = $4
            RETURNING id";
        let ask = query(text).bind(version).bind(self.now_ms).bind(self.tenant.0).bind(self.id.as_str());
        let row: i64 = ask.fetch_one(&mut *db).await?.try_get(0)?;
        rekey(db, row).await?;
        bump(db, self.tenant).await?;
        current(db, self.tenant, &self.id).await
    }
}

impl RollBack {
    /// The wanted version, or the one whose turn was before the current one's: rolling back twice goes back two.
    async fn find(&self, db: &mut PgConnection) -> Result<i64, StoreError> {
        let by_digest = "SELECT v.id FROM profile_versions v JOIN profiles p ON p.id = v.profile
            WHERE p.tenant_id = $1 AND p.profile_id = $2 AND v.digest = $3";
        let by_turn = "SELECT v.id FROM profiles p JOIN profile_versions c ON c.id = p.version
            JOIN profile_versions v ON v.profile = p.id AND v.turn < c.turn
            WHERE p.tenant_id = $1 AND p.profile_id = $2 ORDER BY v.turn DESC LIMIT 1";
        let ask = match &self.to {
            Some(digest) => query(by_digest).bind(self.tenant.0).bind(self.id.as_str()).bind(&digest.as_bytes()[..]),
            None => query(by_turn).bind(self.tenant.0).bind(self.id.as_str()),
        };
        if let Some(row) = ask.fetch_optional(db).await? {
            return Ok(row.try_get(0)?);
        }
        Err(match self.to {
            Some(digest) => StoreError::UnknownVersion { profile: self.id.clone(), digest },
            None => StoreError::NoEarlierVersion(self.id.clone()),
        })
    }
}
