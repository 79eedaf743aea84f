//! Tokens and drones' keys on this engine: the shared queries, each write in its transaction.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use super::Sqlite;
use super::job::{Bench, Write};
use crate::domain::digest::Digest;
use crate::domain::ids::DroneId;
use crate::protocol::enrolment::{DroneKeyView, InviteView};
use crate::store::enrolment::{
    Enrolment, HeldKey, KEPT_MS, KeyChange, KnownKey, MAX_INVITES, NewInvite, Token, Verdict, enrolment_queries, judge,
};
use crate::store::error::StoreError;
use crate::store::rows::stored;
use crate::store::tenants::Tenant;

enrolment_queries!(SqliteConnection, SqliteRow);

impl Sqlite {
    pub(in crate::store) async fn add_invite(&self, tenant: Tenant, invite: NewInvite) -> Result<i64, StoreError> {
        self.write(AddInvite { tenant, invite }).await
    }

    pub(in crate::store) async fn invites(&self, tenant: Tenant) -> Result<Vec<InviteView>, StoreError> {
        let rows = query(INVITES).bind(tenant.0).fetch_all(&self.readers).await?;
        rows.iter().map(invite_view).collect()
    }

    pub(in crate::store) async fn withdraw_invite(
        &self,
        tenant: Tenant,
        id: i64,
        now_ms: i64,
    ) -> Result<InviteView, StoreError> {
        self.write(WithdrawInvite { tenant, id, now_ms }).await
    }

    pub(in crate::store) async fn enrol(
        &self,
        tenant: Tenant,
        enrolment: Enrolment,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(Enrol { tenant, enrolment, now_ms }).await
    }

    pub(in crate::store) async fn known_key(
        &self,
        tenant: Tenant,
        key: Digest,
    ) -> Result<Option<KnownKey>, StoreError> {
        let ask = query(KNOWN).bind(tenant.0).bind(key.as_bytes().to_vec());
        ask.fetch_optional(&self.readers).await?.as_ref().map(known_key).transpose()
    }

    pub(in crate::store) async fn change_key(
        &self,
        tenant: Tenant,
        drone: DroneId,
        change: KeyChange,
    ) -> Result<(), StoreError> {
        self.write(ChangeKey { tenant, drone, change }).await
    }

    pub(in crate::store) async fn drone_keys(
        &self,
        tenant: Tenant,
        first: DroneId,
        last: DroneId,
    ) -> Result<Vec<(DroneId, DroneKeyView)>, StoreError> {
        let ask = query(KEYS).bind(tenant.0).bind(first.as_str()).bind(last.as_str());
        ask.fetch_all(&self.readers).await?.iter().map(key_view).collect()
    }
}

struct AddInvite {
    tenant: Tenant,
    invite: NewInvite,
}

impl Write for AddInvite {
    type Output = i64;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<i64, StoreError> {
        add_invite(bench.db, self.tenant, &self.invite).await
    }
}

struct WithdrawInvite {
    tenant: Tenant,
    id: i64,
    now_ms: i64,
}

impl Write for WithdrawInvite {
    type Output = InviteView;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<InviteView, StoreError> {
        withdraw_invite(bench.db, self.tenant, self.id, self.now_ms).await
    }
}

struct Enrol {
    tenant: Tenant,
    enrolment: Enrolment,
    now_ms: i64,
}

impl Write for Enrol {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        enrol(bench.db, self.tenant, &self.enrolment, self.now_ms).await
    }
}

struct ChangeKey {
    tenant: Tenant,
    drone: DroneId,
    change: KeyChange,
}

impl Write for ChangeKey {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        change_key(bench.db, self.tenant, &self.drone, &self.change).await
    }
}
