//! Records that only replaced runs saw. A run is replaced once a later replay of its kept answers has come to its end
//! well: what the replay gave stands for what the run gave. Nothing is deleted; such records are only left out of
//! listings and reports, and are back as soon as a run that stands has seen them. The same for every engine.
//!
//! What stands is read out of the sets of the batches whenever it may have changed, and kept for the next page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StoreError;
use super::id_set::IdSet;

/// Profiles whose standing records are kept in memory.
const MAX_PROFILES: usize = 64;

/// The question that is asked of an engine.
pub(super) trait Standing: Sync {
    /// The records of a profile that runs which stand have seen; `None` where nothing of it was ever replayed.
    fn standing(&self, profile: i64) -> impl Future<Output = Result<Option<Arc<IdSet>>, StoreError>> + Send;
}

/// Standing records by profile, each with the last batch that they take into account.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<HashMap<i64, (i64, Arc<IdSet>)>>);

impl Standings {
    pub(super) fn get(&self, profile: i64, last_batch: i64) -> Option<Arc<IdSet>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&profile).filter(|(batch, _)| *batch == last_batch).map(|(_, standing)| Arc::clone(standing))
    }

    pub(super) fn keep(&self, profile: i64, last_batch: i64, standing: IdSet) -> Arc<IdSet> {
        let standing = Arc::new(standing);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_PROFILES {
            known.clear();
        }
        known.insert(profile, (last_batch, Arc::clone(&standing)));
        standing
    }
}

/// What is left out of one reading.
pub(super) struct Superseded<'s, E> {
    engine: &'s E,
    /// `None`: nothing of the profile was ever replayed.
    of: HashMap<i64, Option<Arc<IdSet>>>,
}

impl<'s, E: Standing> Superseded<'s, E> {
    pub(super) fn new(engine: &'s E) -> Self {
        Self { engine, of: HashMap::new() }
    }

    /// Whether no run that stands has seen this record.
    pub(super) async fn hides(&mut self, profile: i64, record: i64) -> Result<bool, StoreError> {
        let standing = match self.of.get(&profile) {
            Some(known) => known,
            None => {
                let found = self.engine.standing(profile).await?;
                self.of.entry(profile).or_insert(found)
            }
        };
        Ok(standing.as_ref().is_some_and(|standing| !standing.contains(record)))
    }
}
