//! A sign of life in a file, for a process that has no port: a drone. It is written by a task on the thread that runs
//! the drone's actors, so that it stops when that thread does.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::drones::host_name;
use crate::runtime::{OnGiveUp, Periodic, Place, Root};

const FILE: &str = "alive";
const EVERY: Duration = Duration::from_secs(5);
/// Older signs are none.
pub const PULSE_LIMIT: Duration = Duration::from_secs(30);

/// Writes the sign until the root stops. It holds the host's name: drones of several may share a folder.
pub(super) fn start(root: &Root, place: &Place, data_dir: &Path) {
    let folder = data_dir.to_owned();
    root.spawn(place, "pulse", OnGiveUp::Contain, move || {
        let file = folder.join(FILE);
        Periodic::every(EVERY).at_once().run(move || {
            let file = file.clone();
            async move {
                if let Err(error) = tokio::fs::write(&file, host_name()).await {
                    tracing::warn!(%error, file = %file.display(), "the sign of life cannot be written");
                }
            }
        })
    });
}

/// How long ago a drone of this host gave its last sign on this folder; none where there never was one.
pub fn pulse_age(data_dir: &Path) -> Option<Duration> {
    let below = std::fs::read_dir(data_dir).ok()?.flatten().map(|entry| entry.path());
    let folders = std::iter::once(data_dir.to_owned()).chain(below);
    folders.filter_map(|folder| age(folder.join(FILE))).min()
}

fn age(file: PathBuf) -> Option<Duration> {
    let name = std::fs::read_to_string(&file).ok()?;
    let written = std::fs::metadata(file).and_then(|file| file.modified()).ok()?;
    (name == host_name()).then(|| SystemTime::now().duration_since(written).unwrap_or_default())
}
