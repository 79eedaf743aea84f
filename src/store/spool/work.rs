//! The work of a drone as it was told last, beside what it has fetched: a drone that starts while the control plane is
//! away goes on with it.

use sqlx::{Connection, Row};

use super::Spool;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;

/// One profile to run, and its text where the spool may lack it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub profile_id: ProfileId,
    pub digest: Digest,
    pub text: Option<String>,
}

impl Spool {
    /// Keeps what the drone is to do from now on. A job without a text is one that is kept already.
    pub async fn keep_work(&self, jobs: &[Job]) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        let known = sqlx::query_scalar("SELECT profile_id FROM work").fetch_all(&mut *transaction).await?;
        let wanted = |id: &String| jobs.iter().any(|job| job.profile_id.as_str() == id);
        for gone in known.iter().filter(|id| !wanted(id)) {
            sqlx::query("DELETE FROM work WHERE profile_id = ?").bind(gone).execute(&mut *transaction).await?;
        }
        for Job { profile_id, digest, text } in jobs {
            let Some(text) = text else { continue };
            let put = "INSERT INTO work (profile_id, digest, text) VALUES (?1, ?2, ?3)
                ON CONFLICT (profile_id) DO UPDATE SET digest = ?2, text = ?3";
            let put = sqlx::query(put).bind(profile_id.as_str()).bind(digest.to_string()).bind(text);
            put.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Texts of the profiles that the drone was told to run.
    pub async fn work(&self) -> Result<Vec<String>, StoreError> {
        let mut db = self.db.lock().await;
        let rows = sqlx::query("SELECT text FROM work ORDER BY profile_id").fetch_all(&mut *db).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
