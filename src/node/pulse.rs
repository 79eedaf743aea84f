//! A sign of life in a file, for a process that has no port: a drone. It is written by a task on the thread that runs
//! the drone's actors, so that it stops when that thread does.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::runtime::{OnGiveUp, Periodic, Place, Root};

const EVERY: Duration = Duration::from_secs(5);
/// Older signs are none.
pub const PULSE_LIMIT: Duration = Duration::from_secs(30);

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("alive")
}

/// Writes the sign until the root stops.
pub(super) fn start(root: &Root, place: &Place, data_dir: &Path) {
    let file = file(data_dir);
    root.spawn(place, "pulse", OnGiveUp::Contain, move || {
        let file = file.clone();
        Periodic::every(EVERY).at_once().run(move || {
            let file = file.clone();
            async move {
                if let Err(error) = tokio::fs::write(&file, std::process::id().to_string()).await {
                    tracing::warn!(%error, file = %file.display(), "the sign of life cannot be written");
                }
            }
        })
    });
}

/// How long ago the last sign was; none where there never was one.
pub fn pulse_age(data_dir: &Path) -> Option<Duration> {
    let written = std::fs::metadata(file(data_dir)).and_then(|file| file.modified()).ok()?;
    Some(SystemTime::now().duration_since(written).unwrap_or_default())
}
