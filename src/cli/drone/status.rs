//! `chartly-drone status`: what the drone on this box does, asked without the control plane.

use std::path::Path;

use crate::actors::drone::{DroneStatus, ProfileStatus, Standing};
use crate::cli::moment;
use crate::node::drones_on;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// For people, or for programs.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// Only profiles whose last run failed.
    #[arg(long)]
    failing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

pub fn run(args: &Args, data_dir: &Path) -> u8 {
    let found = drones_on(data_dir);
    if found.is_empty() {
        eprintln!("chartly-drone: no drone has run on {}; give its folder with --data-dir", data_dir.display());
        return 1;
    }
    let mut code = 0;
    for drone in found {
        match drone {
            Ok(status) => show(args, status),
            Err(why) => {
                eprintln!("chartly-drone: {why}");
                code = 1;
            }
        }
    }
    code
}

fn show(args: &Args, mut status: DroneStatus) {
    let fails = |profile: &ProfileStatus| profile.failures > 0;
    status.profiles.retain(|profile| !args.failing || fails(profile));
    match args.output {
        Output::Json => println!("{}", serde_json::to_string(&status).unwrap_or_default()),
        Output::Text => {
            println!("{}", head(&status));
            status.profiles.iter().for_each(|profile| println!("{}", line(profile)));
        }
    }
}

fn head(status: &DroneStatus) -> String {
    let DroneStatus { drone_id, version, spooled, spooled_bytes, spool_dropped, .. } = status;
    let mut text = format!("{drone_id}  {version}  {}", standing(&status.control_plane));
    text.push_str(&format!("\nspool: {spooled} batches, {spooled_bytes} bytes"));
    if let Some(ms) = status.spooled_since_ms {
        text.push_str(&format!(", the oldest of {}", moment(ms)));
    }
    if *spool_dropped > 0 {
        text.push_str(&format!("; {spool_dropped} were lost at its bounds"));
    }
    if status.hosts_shut > 0 {
        text.push_str(&format!("\n{} hosts are taken for down and left alone for a while", status.hosts_shut));
    }
    text
}

fn standing(standing: &Standing) -> String {
    let Standing { url, failures, .. } = standing;
    let skew = standing.clock_skew_ms.filter(|skew_ms| skew_ms.abs() > 5_000);
    let skew = skew.map(|skew_ms| format!("; the clock is off by {} s", skew_ms / 1_000)).unwrap_or_default();
    match (&standing.last_fault, standing.superseded, standing.joined) {
        (_, true, _) => format!("another process works under this id at {url}, so this one does nothing"),
        (Some(fault), ..) => format!("cannot reach {url}: {failures} attempts, the last: {fault}"),
        (None, _, true) => format!("joined {url}{skew}"),
        (None, _, false) => format!("joins {url}"),
    }
}

fn line(profile: &ProfileStatus) -> String {
    let ProfileStatus { profile_id, host, failures, .. } = profile;
    let when = match (profile.running_since_ms, profile.next_ms) {
        (Some(ms), _) => format!("running since {}", moment(ms)),
        (None, Some(ms)) => format!("next {}", moment(ms)),
        (None, None) => "not planned".into(),
    };
    let last = match &profile.last {
        Some(last) => format!("last {} {}", last.state, moment(last.ended_ms)),
        None => "no run since the start".into(),
    };
    let error = profile.last.as_ref().and_then(|run| run.error.as_deref()).unwrap_or_default();
    let failed = if *failures > 0 { format!("  {failures} failures in a row") } else { String::new() };
    format!("{profile_id}  {host}  {when}  {last}{failed}  {error}").trim_end().to_owned()
}
