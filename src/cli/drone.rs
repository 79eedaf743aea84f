//! `chartly-drone`: one drone, until a signal stops it. It needs one outbound connection and a folder.

mod alone;
mod status;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::{config_dir, layers, on_actix, tell_notes};
use crate::domain::fleet::Labels;
use crate::domain::ids::DroneId;
use crate::node::{PULSE_LIMIT, StandaloneDrone, StartError, check_settings, pulse_age, take_slot};
use crate::settings::{DroneSettings, Format, Overrides, Problem};
use crate::telemetry;

/// The edge worker: fetches the sources that the control plane assigns, and posts the records back.
#[derive(Debug, Parser)]
#[command(
    name = "chartly-drone",
    version,
    after_help = "Every flag is also a setting (CHARTLY__DRONE__…); CONTROL_PLANE, DRONE_ID, ENROL_TOKEN, \
                  REGISTRY_API_KEY and PROCESS_INTERVAL are understood too. A secret may come from a file: \
                  ENROL_TOKEN_FILE, REGISTRY_API_KEY_FILE.\n\n\
                  Exit codes: 0 stopped in order, with --profiles: all runs succeeded; 65 a profile cannot be used; \
                  67 the control plane has revoked the drone's key; 70 supervision gave up, start again; 74 data \
                  folder, spool or --to; 76 the control plane is of another release or another program; 77 it does \
                  not take our key or token; 78 settings; 2 flags; 1 anything else, with --profiles: a run failed or \
                  stopped at a limit."
)]
pub struct Cli {
    /// URL of the gateway.
    #[arg(long)]
    control_plane: Option<String>,
    /// This drone's id; made once and kept in the data folder when absent.
    #[arg(long)]
    id: Option<String>,
    /// Labels, such as region=eu; may be given several times.
    #[arg(long = "label")]
    labels: Vec<String>,
    #[command(flatten)]
    alone: alone::Args,
    /// Folder for the spool [default: drone-data]. No two drones share one. With --profiles, and only where it is
    /// given: what was read and what quotas have used up is remembered there.
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// Several drones share the folder; each takes the first free one of its subfolders 1, 2, …
    #[arg(long)]
    share_data_dir: bool,
    /// No profile runs more often than this, such as 5m, whatever it says itself.
    #[arg(long, value_parser = interval)]
    min_interval: Option<u64>,
    /// Private addresses or networks that sources may be at, such as 192.168.7.0/24; may be given several times.
    #[arg(long)]
    allow_private: Vec<String>,
    /// Sends requests for a host elsewhere, such as api.example.org=http://127.0.0.1:8799/example; several times.
    #[arg(long)]
    rewrite: Vec<String>,
    /// Folder with the settings' overlays, such as prod.yaml for CHARTLY_ENV=prod.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Prints every setting with where it came from, and ends.
    #[arg(long)]
    print_config: bool,
    /// Tells all problems of the settings at once, and ends.
    #[arg(long)]
    check_config: bool,
    /// Asks whether the drone of this data folder is alive: 0 yes, 1 no. For health checks of containers.
    #[arg(long)]
    health: bool,
    /// Logs as JSON lines instead of text.
    #[arg(long, env = "CHARTLY_LOG_JSON")]
    log_json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
    /// What to log, such as `info`, or `chartly=debug,warn`.
    #[arg(long, env = "CHARTLY_LOG", default_value = super::DEFAULT_LOG)]
    log: String,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Asks the drone that runs on this data folder what it does: 0 it answers, 1 it does not.
    Status(status::Args),
}

fn interval(text: &str) -> Result<u64, String> {
    let expected = "expected a time such as 30s, 5m or 1h30m";
    let duration: jiff::SignedDuration = text.parse().map_err(|_| expected)?;
    u64::try_from(duration.as_millis()).map_err(|_| expected.to_owned())
}

pub fn run(cli: &Cli) -> ExitCode {
    let code = start(cli).unwrap_or_else(|error| {
        eprintln!("chartly-drone: {error}");
        error.exit_code()
    });
    ExitCode::from(code)
}

fn start(cli: &Cli) -> Result<u8, StartError> {
    let folder = cli.config.clone().unwrap_or_else(config_dir);
    let loaded = layers(&folder, overrides(cli))?;
    tell_notes(&loaded);
    check_settings(&loaded.settings)?;
    if cli.print_config {
        print!("{}", loaded.shown(Format::Yaml));
        return Ok(0);
    }
    let settings = loaded.settings;
    let labels = labels(&settings.drone.labels)?;
    let given_id = given_id(&settings.drone)?;
    if cli.check_config {
        println!("the settings are good");
        return Ok(0);
    }
    let data_dir = settings.drone.data_dir.clone();
    if cli.health {
        return Ok(health(&data_dir));
    }
    if let Some(Verb::Status(args)) = &cli.verb {
        return Ok(status::run(args, &data_dir));
    }
    if let Some(profiles) = &cli.alone.profiles {
        telemetry::init(cli.log_json, &cli.log).map_err(|error| StartError::Other(error.to_string()))?;
        return alone::run(&cli.alone, profiles, cli.data_dir.as_deref(), &settings.drone);
    }
    let control_plane = settings.drone.control_plane.clone().ok_or_else(|| {
        invalid(
            "a drone needs the gateway's URL: --control-plane http://gateway:8090, or CONTROL_PLANE; \
             without a control plane: --profiles DIR",
        )
    })?;
    telemetry::init(cli.log_json, &cli.log).map_err(|error| StartError::Other(error.to_string()))?;
    // Held until the end: no other drone takes the same folder.
    let (data_dir, _slot) = if settings.drone.share_data_dir { take_slot(&data_dir)? } else { (data_dir, None) };
    let failed = |error: io::Error| StartError::DataFolder { path: data_dir.clone(), error };
    std::fs::create_dir_all(&data_dir).map_err(failed)?;
    let drone_id = match given_id {
        Some(id) => id,
        None => kept_id(&data_dir).map_err(failed)?,
    };
    on_actix(async move {
        let control_plane = control_plane.trim_end_matches('/');
        let drone = StandaloneDrone::start(settings, drone_id, labels, control_plane, &data_dir).await?;
        match drone {
            Some(drone) => Ok(drone.run().await),
            None => Ok(0),
        }
    })
}

fn overrides(cli: &Cli) -> Overrides {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
    let mut all: Overrides = Vec::new();
    all.extend(cli.control_plane.clone().map(|value| ("drone.control_plane", value)));
    all.extend(cli.id.clone().map(|value| ("drone.id", value)));
    all.extend(list(&cli.labels).map(|value| ("drone.labels", value)));
    all.extend(cli.data_dir.as_ref().map(|path| ("drone.data_dir", path.to_string_lossy().into_owned())));
    all.extend(cli.share_data_dir.then(|| ("drone.share_data_dir", "true".to_owned())));
    all.extend(cli.min_interval.map(|value| ("drone.min_interval_ms", value.to_string())));
    all.extend(list(&cli.allow_private).map(|value| ("drone.allow_private", value)));
    all.extend(list(&cli.rewrite).map(|value| ("drone.rewrite", value)));
    all
}

fn invalid(text: impl Into<String>) -> StartError {
    StartError::Settings(Problem::new(text).into())
}

fn labels(all: &[String]) -> Result<Labels, StartError> {
    let read = |text: &String| {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) =
            pair.ok_or_else(|| invalid(format!("drone.labels has {text:?}; expected key=value, such as region=eu")))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    all.iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()
}

fn given_id(settings: &DroneSettings) -> Result<Option<DroneId>, StartError> {
    let parse = |id: &String| DroneId::parse(id).map_err(|error| invalid(format!("drone.id is {id:?}; {error}")));
    settings.id.as_ref().map(parse).transpose()
}

/// Whether the drone of this folder was alive a moment ago.
fn health(data_dir: &Path) -> u8 {
    match pulse_age(data_dir) {
        Some(age) if age <= PULSE_LIMIT => {
            println!("the drone is alive");
            0
        }
        Some(age) => {
            eprintln!("the drone has given no sign of life for {} s", age.as_secs());
            1
        }
        None => {
            eprintln!("no drone has run on {}", data_dir.display());
            1
        }
    }
}

/// The id in the data folder, made on the first start.
fn kept_id(data_dir: &Path) -> io::Result<DroneId> {
    let file = data_dir.join("drone-id");
    let broken = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()));
    match std::fs::read_to_string(&file) {
        Ok(text) => DroneId::parse(text.trim()).map_err(broken),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = format!("drone-{}", uuid::Uuid::new_v4().simple());
            std::fs::write(&file, &id)?;
            DroneId::parse(&id).map_err(broken)
        }
        Err(error) => Err(error),
    }
}
