//! `chartly-drone`: one drone, until a signal stops it. It needs one outbound connection and a folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::{config_dir, on_actix, settings};
use crate::domain::ids::DroneId;
use crate::node::{StandaloneDrone, StartError};
use crate::telemetry;

/// The edge worker: fetches the sources that the control plane assigns, and posts the records back.
#[derive(Debug, Parser)]
#[command(
    name = "chartly-drone",
    version,
    after_help = "Exit codes: 0 stopped in order; 70 supervision gave up, start again; 74 data folder or spool; \
                  78 settings; 1 anything else."
)]
pub struct Cli {
    /// URL of the gateway.
    #[arg(long, env = "CONTROL_PLANE", value_parser = gateway)]
    control_plane: String,
    /// This drone's id; made once and kept in the data folder when absent.
    #[arg(long, env = "DRONE_ID")]
    id: Option<DroneId>,
    /// Labels, such as region=eu; may be given several times.
    #[arg(long = "label", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Folder for the spool. No two drones share one.
    #[arg(long, default_value = "drone-data")]
    data_dir: PathBuf,
    /// Private addresses or networks that sources may be at, such as 192.168.7.0/24; may be given several times.
    #[arg(long)]
    allow_private: Vec<String>,
    /// Sends requests for a host elsewhere, such as api.example.org=http://127.0.0.1:8799/example; several times.
    #[arg(long)]
    rewrite: Vec<String>,
    /// Logs as JSON lines instead of text.
    #[arg(long, env = "CHARTLY_LOG_JSON")]
    log_json: bool,
    /// What to log, such as `info`, or `chartly=debug,warn`.
    #[arg(long, env = "CHARTLY_LOG", default_value = super::DEFAULT_LOG)]
    log: String,
}

fn gateway(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("{error}; expected http(s)://host:port"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("expected http(s)://host:port".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("only scheme, host, port and path; the key goes into REGISTRY_API_KEY".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value, such as region=eu")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub fn run(cli: Cli) -> ExitCode {
    let code = start(cli).unwrap_or_else(|error| {
        eprintln!("chartly-drone: {error}");
        error.exit_code()
    });
    ExitCode::from(code)
}

fn start(cli: Cli) -> Result<u8, StartError> {
    telemetry::init(cli.log_json, &cli.log).map_err(|error| StartError::Other(error.to_string()))?;
    let mut settings = settings(&config_dir(), Vec::new())?;
    settings.drone.allow_private.extend(cli.allow_private);
    settings.drone.rewrite.extend(cli.rewrite);
    let failed = |error: io::Error| StartError::DataFolder { path: cli.data_dir.clone(), error };
    std::fs::create_dir_all(&cli.data_dir).map_err(failed)?;
    let drone_id = match cli.id {
        Some(id) => id,
        None => kept_id(&cli.data_dir).map_err(failed)?,
    };
    let labels: BTreeMap<_, _> = cli.labels.into_iter().collect();
    on_actix(async move {
        let drone = StandaloneDrone::start(settings, drone_id, labels, &cli.control_plane, &cli.data_dir).await?;
        Ok(drone.run().await)
    })
}

/// The id in the data folder, made on the first start.
fn kept_id(data_dir: &Path) -> io::Result<DroneId> {
    let file = data_dir.join("drone-id");
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()));
    match std::fs::read_to_string(&file) {
        Ok(text) => DroneId::parse(text.trim()).map_err(invalid),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = format!("drone-{}", uuid::Uuid::new_v4().simple());
            std::fs::write(&file, &id)?;
            DroneId::parse(&id).map_err(invalid)
        }
        Err(error) => Err(error),
    }
}
