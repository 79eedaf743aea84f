//! A drone's window for whoever stands before its box: a socket in its folder, for its owner only, that tells the
//! drone's status once to each who opens it. Nothing is read from it.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Caller;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};

use crate::actors::drone::{DroneStatus, Teller};
use crate::runtime::{OnGiveUp, Place, Root};

const SOCKET: &str = "drone.sock";
/// Who does not take the answer in this time goes without.
const PATIENCE: Duration = Duration::from_secs(5);
/// A status of ten thousand profiles takes some megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// Opens the window. Where the folder takes no sockets the drone works without one.
pub(super) fn open(root: &Root, place: &Place, data_dir: &Path, teller: Teller) {
    let path = data_dir.join(SOCKET);
    root.spawn(place, "desk", OnGiveUp::Contain, move || async move {
        // Left by a process before; that none runs now is known by the spool's lock.
        let _ = std::fs::remove_file(&path);
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            Err(error) => return tracing::warn!(%error, path = %path.display(), "chartly-drone status will not work"),
        };
        if let Err(error) = std::fs::set_permissions(&path, Permissions::from_mode(0o600)) {
            return tracing::warn!(%error, path = %path.display(), "chartly-drone status will not work");
        }
        loop {
            match listener.accept().await {
                // One after the other: nobody can keep the drone busy.
                Ok((caller, _)) => drop(tokio::time::timeout(PATIENCE, tell(caller, &teller)).await),
                Err(error) => {
                    tracing::warn!(%error, "a question for the status was lost");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    });
}

async fn tell(mut caller: UnixStream, teller: &Teller) {
    let answer = match teller.status().await {
        Ok(status) => serde_json::to_vec(&status).unwrap_or_default(),
        Err(error) => return tracing::warn!(%error, "the status could not be told"),
    };
    let _ = caller.write_all(&answer).await;
}

/// The status of each drone that runs on this folder, or on one below it.
pub fn drones_on(data_dir: &Path) -> Vec<Result<DroneStatus, String>> {
    let below = std::fs::read_dir(data_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sockets: Vec<PathBuf> =
        std::iter::once(data_dir.to_owned()).chain(below).map(|at| at.join(SOCKET)).collect();
    sockets.retain(|socket| socket.exists());
    sockets.sort();
    sockets.iter().map(|socket| ask(socket).map_err(|why| format!("{}: {why}", socket.display()))).collect()
}

fn ask(socket: &Path) -> Result<DroneStatus, String> {
    let caller = Caller::connect(socket).map_err(|error| format!("no drone answers ({error})"))?;
    caller.set_read_timeout(Some(PATIENCE * 2)).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    caller.take(MAX_BYTES).read_to_end(&mut answer).map_err(|error| format!("the drone does not answer ({error})"))?;
    serde_json::from_slice(&answer).map_err(|_| "the drone is too busy to answer, or restarts".to_owned())
}
