//! A folder of its own for each of several drones that share one, such as the replicas of a container with one volume.
//! Who comes takes the first that nobody holds, so that spools and ids outlive the containers.

use std::path::{Path, PathBuf};

use super::error::StartError;
use crate::store::{FileLock, StoreError};

/// The most drones on one folder.
const MAX_SLOTS: u32 = 10_000;

/// Takes a numbered folder below `shared`; it is ours while the lock is held.
pub fn take_slot(shared: &Path) -> Result<(PathBuf, Option<FileLock>), StartError> {
    for number in 1..=MAX_SLOTS {
        let slot = shared.join(number.to_string());
        match FileLock::take(slot.join("drone.lock")) {
            Ok(lock) => return Ok((slot, Some(lock))),
            Err(StoreError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StartError::Other(format!("{MAX_SLOTS} drones hold a folder below {} already", shared.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_takes_the_first_that_is_free() {
        let shared = tempfile::tempdir().unwrap();
        let name = |slot: &(PathBuf, Option<FileLock>)| slot.0.file_name().unwrap().to_str().unwrap().to_owned();
        let (first, second) = (take_slot(shared.path()).unwrap(), take_slot(shared.path()).unwrap());
        assert_eq!((name(&first), name(&second)), ("1".into(), "2".into()));
        drop(first);
        assert_eq!(name(&take_slot(shared.path()).unwrap()), "1");
    }
}
