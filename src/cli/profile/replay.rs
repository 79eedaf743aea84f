//! `chartly profile replay`: a mended profile over the answers that were kept. On a drone's own folder it shows what
//! would come out; through the control plane it is carried out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::{preview, refuse};
use crate::cli::{config_dir, gateway_key, on_actix, settings};
use crate::clients::ControlPlane;
use crate::domain::batch::Records;
use crate::domain::ids::{ProfileId, RunId};
use crate::domain::moment::{MOMENT, moment_ms};
use crate::domain::run::RunState;
use crate::pipeline::kept::{KeptFile, KeptRun, KeptRuns, RunFilter};
use crate::pipeline::replay::compare::{Harvest, TooMany};
use crate::pipeline::replay::replay;
use crate::pipeline::{FetchSettings, Sink, SinkError};
use crate::profiles::{self, Profile};
use crate::protocol::coordinator::ReplayOf;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("where").required(true))]
pub struct Args {
    /// With --data the file of the mended profile; with --control-plane the id of one that is published.
    profile: String,
    /// A drone's data folder, or a node's with embedded drones. Nothing is stored or sent.
    #[arg(long, group = "where")]
    data: Option<PathBuf>,
    /// URL of the gateway: its drones replay what they keep by the version that is published now. The key is
    /// REGISTRY_API_KEY or REGISTRY_API_KEY_FILE, else that of the node's data folder.
    #[arg(long, group = "where")]
    control_plane: Option<String>,
    /// With --control-plane: data folder of the node, where its key lies when none is set [default: data].
    #[arg(long, conflicts_with = "data")]
    data_dir: Option<PathBuf>,
    /// Only runs that began at this moment or later: a day, RFC 3339, or Unix milliseconds.
    #[arg(long, value_parser = moment)]
    since: Option<i64>,
    /// Only runs that began before this moment.
    #[arg(long, value_parser = moment)]
    until: Option<i64>,
    /// Only this run.
    #[arg(long)]
    run_id: Option<RunId>,
    /// With --data: `summary` of what comes out against the version that ran; `ndjson`: the records alone on stdout.
    #[arg(long, value_enum, default_value_t = To::Summary)]
    to: To,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Summary,
    Ndjson,
}

fn moment(text: &str) -> Result<i64, String> {
    moment_ms(text).ok_or_else(|| format!("expected {MOMENT}"))
}

pub fn run(args: &Args) -> ExitCode {
    let done = match (&args.data, &args.control_plane) {
        (Some(folder), _) => here(args, folder),
        (None, Some(url)) => there(args, url),
        (None, None) => Err("say --data or --control-plane".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => refuse(2, message),
    }
}

/// Asks the control plane.
fn there(args: &Args, url: &str) -> Result<bool, String> {
    let id = ProfileId::parse(&args.profile).map_err(|error| error.to_string())?;
    let flags = args.data_dir.iter().map(|path| ("node.data_dir", path.to_string_lossy().into_owned()));
    let key = gateway_key(&settings(&config_dir(), flags.collect()).map_err(|error| error.to_string())?);
    let of = ReplayOf { since_ms: args.since, until_ms: args.until, run_id: args.run_id.clone() };
    let asked = on_actix(async { ControlPlane::new(url, key).replay(&id, &of).await });
    for request in asked.map_err(|fault| fault.to_string())?.requests {
        let drone = request.drone_id.map_or_else(String::new, |drone| drone.to_string());
        println!("request {} to drone {drone}", request.request_id);
    }
    println!("what comes out appears in /api/runs?profile_id={id}, with replay_of");
    Ok(true)
}

/// Plays what lies in the folder.
fn here(args: &Args, folder: &Path) -> Result<bool, String> {
    let profile = preview::load(Path::new(&args.profile))?;
    let filter = RunFilter { since_ms: args.since, until_ms: args.until, run_id: args.run_id.clone() };
    let files = kept_runs(folder, profile.id(), &filter)?;
    if files.is_empty() {
        return Err(format!("{} keeps no such run of {}", folder.display(), profile.id()));
    }
    let mut tally = Tally::new(&profile, args.to);
    on_actix(async {
        for file in &files {
            tally.play(&profile, file).await;
        }
    });
    tally.tell();
    Ok(tally.all_well)
}

/// Of all drones that have a folder here, the oldest first.
fn kept_runs(folder: &Path, profile: &ProfileId, filter: &RunFilter) -> Result<Vec<KeptFile>, String> {
    std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let embedded = std::fs::read_dir(folder.join("drones")).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = std::iter::once(folder.to_owned()).chain(embedded).map(|path| path.join("kept"));
    let mut files = Vec::new();
    for path in folders {
        // Kept answers are for the drone's own user only.
        let own = path.join(profile.as_str());
        if let Err(error) = std::fs::read_dir(&own)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(format!("{}: {error}", own.display()));
        }
        files.extend(KeptRuns::at(&path).runs(profile, filter));
    }
    files.sort();
    Ok(files)
}

/// What came out so far.
struct Tally {
    to: To,
    ran: Result<Harvest, String>,
    mended: Result<Harvest, String>,
    all_well: bool,
}

/// Takes the records of one version.
struct Gather<'t> {
    harvest: &'t mut Result<Harvest, String>,
    prints: bool,
}

impl Sink for Gather<'_> {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        if self.prints {
            records.iter().for_each(|(_, text)| println!("{}", String::from_utf8_lossy(text)));
        }
        if let Ok(harvest) = self.harvest
            && let Err(too_many @ TooMany) = harvest.take(&records)
        {
            *self.harvest = Err(too_many.to_string());
        }
        Ok(())
    }
}

impl Tally {
    fn new(profile: &Profile, to: To) -> Self {
        let harvest = || Ok(Harvest::new(profile.key()));
        Self { to, ran: harvest(), mended: harvest(), all_well: true }
    }

    async fn play(&mut self, profile: &Profile, file: &KeptFile) {
        let name = file.path.display();
        let kept = match KeptRun::open(&file.path) {
            Ok(kept) => Arc::new(kept),
            Err(torn) => {
                self.all_well = false;
                eprintln!("torn, left out: {torn}");
                return;
            }
        };
        let settings = FetchSettings::default();
        match KeptRuns::text_of(file).map_err(|error| error.to_string()).and_then(|text| loaded(&text)) {
            Ok(version) => {
                let mut sink = Gather { harvest: &mut self.ran, prints: false };
                replay(&settings, Arc::clone(&kept), &version, &mut sink).await;
            }
            Err(reason) => self.ran = Err(format!("the version that made {name} cannot be read: {reason}")),
        }
        let mut sink = Gather { harvest: &mut self.mended, prints: self.to == To::Ndjson };
        let outcome = replay(&settings, kept, profile, &mut sink).await;
        self.all_well &= outcome.state == RunState::Succeeded;
        let (state, rows, records, dropped) =
            (outcome.state.as_str(), outcome.rows, outcome.records, outcome.dropped_rows());
        eprintln!("{} {state}: {rows} rows, {records} records, {dropped} rows dropped", file.run_id);
        outcome.error.iter().for_each(|error| eprintln!("  {error}"));
        outcome.dropped.iter().for_each(|lost| eprintln!("  {} rows dropped: {}", lost.rows, lost.reason));
    }

    fn tell(&self) {
        match (&self.mended, &self.ran) {
            (Ok(mended), Ok(ran)) => {
                let found = mended.against(ran);
                let line = format!(
                    "against the version that ran: {} same, {} new, {} changed, {} gone",
                    found.same, found.new, found.changed, found.gone
                );
                if self.to == To::Summary { println!("{line}") } else { eprintln!("{line}") }
            }
            (Err(reason), _) | (_, Err(reason)) => eprintln!("not compared: {reason}"),
        }
    }
}

fn loaded(text: &str) -> Result<Profile, String> {
    profiles::load(text).map_err(|problems| problems.to_string())
}
