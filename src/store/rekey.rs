//! Links a profile's records anew when its key changed: each record's observation by the new key, and its versions in
//! the order in which they were first seen. In one transaction with the change, so that no reader sees a half of it.
//! The same for every engine; each has its own statements.

use std::future::Future;

use super::error::StoreError;
use super::observed::key_of;
use super::rows::stored;
use super::sql::{Cells, Db, values};
use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;

const CHUNK: i64 = 5_000;

/// A record, and its observation by the new key.
pub(super) type Link = (i64, Option<[u8; 16]>);

/// The statements. `$1` is the profile in all of them.
pub(super) trait Rekeys: Db {
    /// `$2` the row to go on after, `$3` how many. Row and text of records, by row.
    const BODIES: &'static str;
    /// Writes the turns of all observations that have more than one version.
    const ALL_TURNS: &'static str;
    /// Marks all records that are not the last version of theirs.
    const REPLACED: &'static str;

    fn link(&mut self, profile: i64, links: Vec<Link>) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// This takes its time.
    fn have_patience(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Brings the records of `profile` under the key of its current version, if they are under another.
pub(super) async fn rekey<D: Rekeys>(db: &mut D, profile: i64) -> Result<(), StoreError> {
    let find = "SELECT p.profile_id, v.key_dims FROM profiles p JOIN profile_versions v ON v.id = p.version
        WHERE p.id = $1 AND coalesce(v.key_dims, '[]') <> coalesce(p.keyed_by, '[]')";
    let Some(row) = db.first(find, values![profile]).await? else { return Ok(()) };
    let id = stored(ProfileId::parse(row.text(0)?))?;
    let key_dims = row.maybe_text(1)?.map(str::to_owned);
    db.take_profile(profile).await?;
    db.have_patience().await?;
    for text in [
        "DELETE FROM revisions WHERE profile = $1",
        "UPDATE records SET replaced = NULL WHERE profile = $1 AND replaced IS NOT NULL",
    ] {
        db.run(text, values![profile]).await?;
    }
    link_all(db, profile, key_of(&id, key_dims.as_deref()).as_ref()).await?;
    db.run(D::ALL_TURNS, values![profile]).await?;
    let replaced = db.run(D::REPLACED, values![profile]).await?;
    db.run("UPDATE counters SET replaced = $2 WHERE profile = $1", values![profile, replaced]).await?;
    db.run("UPDATE profiles SET keyed_by = $2 WHERE id = $1", values![profile, key_dims]).await?;
    Ok(())
}

async fn link_all<D: Rekeys>(db: &mut D, profile: i64, key: Option<&ObservationKey>) -> Result<(), StoreError> {
    let mut last = 0_i64;
    loop {
        let rows = db.all(D::BODIES, values![profile, last, CHUNK]).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.number(0)?;
        let link = |row: &D::Row| {
            let body = row.text(1)?.as_bytes();
            Ok((row.number(0)?, key.and_then(|key| key.of_record(body))))
        };
        let links = rows.iter().map(link).collect::<Result<Vec<Link>, StoreError>>()?;
        db.link(profile, links).await?;
    }
}
