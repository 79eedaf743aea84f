//! The versions of one observation, each with the time during which it stood. The same for every engine; each has its
//! own statement.

use super::error::StoreError;
use super::observed::{key_of, values_of};
use super::pager::Pager;
use super::record_row::{Stood, compose_version};
use super::sql::{Cells, Reads, values};
use super::tenants::Tenant;
use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;
use crate::protocol::aggregator::RecordRow;
use crate::protocol::paging::{Page, PageRequest};

pub(super) trait KeepsHistory: Reads {
    /// `$1` profile, `$2` observation, `$3` the time to go on after, `$4` how many. Turns that were written down, or that
    /// of the only version there is: its time, the text, its first sighting, the time of the next.
    const HISTORY: &'static str;
}

/// One page, the earliest first; `dims` are all dims of the profile's key.
pub(super) async fn page_of<E: KeepsHistory>(
    engine: &E,
    tenant: Tenant,
    id: &ProfileId,
    dims: &[(String, String)],
    page: &PageRequest,
) -> Result<Page<RecordRow>, StoreError> {
    let find = "SELECT id, keyed_by FROM profiles WHERE tenant_id = $1 AND profile_id = $2";
    let found = engine.read(find, values![tenant.0, id.as_str()]).await?;
    let found = found.first().ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
    let profile = found.number(0)?;
    let key = key_of(id, found.maybe_text(1)?).ok_or_else(|| StoreError::NoKey(id.clone()))?;
    let observation = wanted(&key, dims)?;
    let mut pager = Pager::new(page, i64::MIN, false)?;
    while let Some(chunk) = pager.next_chunk() {
        let asked = values![profile, &observation[..], pager.position(), chunk];
        let rows = engine.read(E::HISTORY, asked).await?;
        pager.got(rows.len());
        for row in &rows {
            let stood = Stood { from_ms: row.number(0)?, until_ms: row.maybe_number(3)? };
            let item = compose_version(row.text(1)?, id.as_str(), row.number(2)?, stood)?;
            pager.pass(stood.from_ms, Some(item));
        }
    }
    Ok(pager.finish())
}

fn wanted(key: &ObservationKey, dims: &[(String, String)]) -> Result<[u8; 16], StoreError> {
    let values = values_of(key, dims)?;
    key.of_values(&values).ok_or_else(|| StoreError::Engine("a key has another number of dims than values".into()))
}
