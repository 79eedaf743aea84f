//! The steps of a layout as a database has them, held against those that this release knows.

use sqlx::migrate::Migrator;

use super::error::StoreError;

/// Refuses a layout that is newer, or of another program. True: it is the newest that this release knows.
pub(super) fn judge(known: &Migrator, found: &[(i64, Vec<u8>)]) -> Result<bool, StoreError> {
    for (version, checksum) in found.iter().rev() {
        match known.iter().find(|step| step.version == *version) {
            None => return Err(StoreError::Newer { path: String::new(), found: *version }),
            Some(step) if *step.checksum != **checksum => {
                let reason = format!("migration {version} is not the one this release knows");
                return Err(StoreError::Foreign { path: String::new(), reason });
            }
            Some(_) => {}
        }
    }
    Ok(known.iter().all(|step| found.iter().any(|(version, _)| *version == step.version)))
}
