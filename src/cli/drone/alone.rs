//! `chartly-drone --profiles`: a drone without a control plane, for a cron job or a test. Reads the folder and refuses
//! it as a whole where a file of it is bad, so that nothing is missing unsaid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::on_actix;
use crate::cli::profile::files;
use crate::domain::ids::ProfileId;
use crate::node::{AloneDrone, StartError, Target};
use crate::profiles::{self, Profile};
use crate::settings::DroneSettings;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Runs without a control plane: each profile of this folder once, whatever its interval, and ends. A profile with
    /// `enabled: false` is left out.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["control_plane", "id", "labels", "share_data_dir", "min_interval", "health"])]
    pub(super) profiles: Option<PathBuf>,
    /// With --profiles: the file that records are added to, one a line as JSON; `{profile_id}` in its name makes a file
    /// for each profile. Or `stdout`.
    #[arg(long, value_name = "FILE", default_value = "stdout", requires = "profiles")]
    to: String,
    /// With --profiles: all of them again so long after the last has ended, such as 5m, until a signal.
    #[arg(long, value_name = "PAUSE", value_parser = super::interval, requires = "profiles")]
    every: Option<u64>,
}

/// `data_dir` where it was asked for: what was read is remembered there, so that the next start reads what is new.
pub(super) fn run(
    args: &Args,
    folder: &Path,
    data_dir: Option<&Path>,
    settings: &DroneSettings,
) -> Result<u8, StartError> {
    let profiles = read(folder)?;
    let (to, every) = (Target::parse(&args.to), args.every.map(Duration::from_millis));
    on_actix(async move { Ok(AloneDrone::open(profiles, to, data_dir, settings)?.run(every).await) })
}

/// All profiles that run. The problems of all files are shown at once.
fn read(folder: &Path) -> Result<Vec<Profile>, StartError> {
    let (mut good, mut bad, mut left_out) = (BTreeMap::<ProfileId, (PathBuf, Profile)>::new(), 0, 0);
    for (path, text) in files::collect(&[folder.to_owned()]) {
        let told = match profile(&path, text) {
            Ok(profile) => match good.get(profile.id()) {
                Some((other, _)) => {
                    format!("{}: its id {} is that of {}", path.display(), profile.id(), other.display())
                }
                None => {
                    good.insert(profile.id().clone(), (path, profile));
                    continue;
                }
            },
            Err(told) => told,
        };
        eprintln!("{told}\n");
        bad += 1;
    }
    if bad > 0 {
        return Err(StartError::Profiles(format!(
            "{bad} of {} files cannot be used; nothing was run",
            bad + good.len()
        )));
    }
    let mut enabled = Vec::new();
    for (_, profile) in good.into_values() {
        match profile.enabled() {
            true => enabled.push(profile),
            false => left_out += 1,
        }
    }
    if left_out > 0 {
        tracing::info!(profiles = left_out, "left out: they say enabled: false");
    }
    if enabled.is_empty() {
        let place = folder.display();
        return Err(StartError::Profiles(format!("{place} has no profile to run; expected *.yaml or *.yml, enabled")));
    }
    Ok(enabled)
}

fn profile(path: &Path, text: std::io::Result<String>) -> Result<Profile, String> {
    let file = path.display().to_string();
    let text = text.map_err(|error| format!("{file}: {error}"))?;
    profiles::load(&text).map_err(|problems| problems.in_file(&file).to_string())
}
