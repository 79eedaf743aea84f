//! The operator's program: one file for each verb. Data goes to stdout, everything else to stderr.

mod backup;
mod config;
mod demo;
mod doctor;
pub mod drone;
mod drones;
mod export;
mod health;
mod import;
mod postgres_tools;
mod profile;
mod restore;
mod serve;
mod store_flags;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use secrecy::SecretString;

use crate::node::StartError;
use crate::settings::{Loaded, Overrides, Settings, SettingsError, read};
use crate::telemetry;

/// HTTP data sources as joinable, deduplicated records: one YAML profile per source, no code.
#[derive(Debug, Parser)]
#[command(name = "chartly", version, propagate_version = true)]
pub struct Cli {
    /// Logs as JSON lines instead of text.
    #[arg(long, global = true, env = "CHARTLY_LOG_JSON")]
    log_json: bool,
    /// What to log, such as `debug`, or `chartly=debug,warn`; `serve` says `info` unless told, `demo` only `warn`.
    #[arg(long, global = true, env = "CHARTLY_LOG")]
    log: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the control plane, all of it or some roles, with embedded drones.
    Serve(serve::Args),
    /// Shows the whole system on throw-away data and a bundled sample source, without internet.
    Demo(demo::Args),
    /// Shows and checks the settings of `serve`, all layers together.
    Config(config::Args),
    /// Asks a running node whether it is ready: 0 yes, 1 no. For health checks of containers and scripts.
    Health(health::Args),
    /// Copies the store into a file, consistent, while Chartly runs.
    Backup(backup::Args),
    /// Puts a backup into the place of the store, after it was verified.
    Restore(restore::Args),
    /// Writes the store into one file that a store on either engine can import.
    Export(export::Args),
    /// Stores what an export holds, on SQLite or PostgreSQL, and holds both sides against each other.
    Import(import::Args),
    /// Checks what is stored: the file, ids against contents, counts, rows that belong to nothing.
    Doctor(doctor::Args),
    /// Shows the drones of a running fleet, drains them, pins profiles to them, lets them join, takes keys back.
    Drone(drones::Args),
    /// Works on profiles: check, preview, test, explain, compare, propose.
    Profile(profile::Args),
}

/// Runs the verb; the exit code says how it went (`--help` of each verb has the table).
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.verb {
        Verb::Profile(args) => return profile::run(&args),
        Verb::Config(args) => config::run(args),
        Verb::Health(args) => health::run(args),
        Verb::Backup(args) => backup::run(args),
        Verb::Export(args) => export::run(&args),
        Verb::Import(args) => import::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Restore(args) => restore::run(&args),
        Verb::Drone(args) => drones::run(args),
        Verb::Serve(args) => with_logs(cli.log_json, cli.log.as_deref(), DEFAULT_LOG, || serve::run(args)),
        Verb::Demo(args) => with_logs(cli.log_json, cli.log.as_deref(), "warn", || demo::run(args)),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        eprintln!("chartly: {error}");
        error.exit_code()
    }))
}

/// What `serve` and a drone log unless told otherwise.
const DEFAULT_LOG: &str = "info,actix_server=warn";

fn with_logs(
    json: bool,
    filter: Option<&str>,
    unless_told: &str,
    verb: impl FnOnce() -> Result<u8, StartError>,
) -> Result<u8, StartError> {
    telemetry::init(json, filter.unwrap_or(unless_told)).map_err(|error| StartError::Other(error.to_string()))?;
    verb()
}

/// Settings from all layers, with these flags on top.
fn layers(folder: &Path, overrides: Overrides) -> Result<Loaded, SettingsError> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let variables: HashMap<String, String> = std::env::vars_os().map(|(key, value)| (text(key), text(value))).collect();
    read(folder, &variables, overrides)
}

/// The same, where only the values matter; what there is to note goes to stderr.
fn settings(folder: &Path, overrides: Overrides) -> Result<Settings, SettingsError> {
    let loaded = layers(folder, overrides)?;
    tell_notes(&loaded);
    Ok(loaded.settings)
}

fn tell_notes(loaded: &Loaded) {
    loaded.notes.iter().for_each(|note| eprintln!("note: {note}"));
}

/// Where `<CHARTLY_ENV>.yaml` lies.
fn config_dir() -> PathBuf {
    std::env::var_os("CHARTLY_CONFIG_DIR").map_or_else(|| PathBuf::from("config"), PathBuf::from)
}

/// The key that is set, else the one that the node made in its data folder.
fn gateway_key(settings: &Settings) -> Option<SecretString> {
    let made = || std::fs::read_to_string(settings.node.data_dir.join("api-key")).ok();
    settings.api_key.clone().or_else(|| made().map(|text| text.trim().to_owned().into()))
}

/// Runs a future on an actix system of this thread.
fn on_actix<T>(future: impl Future<Output = T>) -> T {
    actix::System::new().block_on(future)
}

/// A moment as people write it; the number where it is none.
fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |moment| format!("{moment:.0}"))
}
