//! Logs and metrics of a process: set up once, at the start. Knows no role, no store and no socket.

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Seconds; from a cached answer to a slow report.
const BUCKETS_S: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Debug, Error)]
pub enum TelemetryError {
    #[error("log filter {filter:?}: {reason}; expected something like info or chartly=debug,info")]
    Filter { filter: String, reason: String },
    #[error("logs are set up already, or cannot be: {0}")]
    Logs(String),
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] BuildError),
}

/// Sends log lines to standard error, as text or as one JSON object a line. `filter` names levels, by target where one is
/// given: `info`, or `chartly=debug,warn`.
pub fn init(json: bool, filter: &str) -> Result<(), TelemetryError> {
    let refuse = |error: ParseError| TelemetryError::Filter { filter: filter.into(), reason: error.to_string() };
    let targets: Targets = filter.parse().map_err(refuse)?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let filtered = tracing_subscriber::registry().with(targets);
    let installed =
        if json { filtered.with(lines.json().flatten_event(true)).try_init() } else { filtered.with(lines).try_init() };
    installed.map_err(|error| TelemetryError::Logs(error.to_string()))
}

/// Makes this process count, once; later calls give the same handle. Whoever holds it must call `run_upkeep` now and
/// then, or histograms grow while nobody looks.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new().set_buckets(BUCKETS_S)?.build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle());
    // A second recorder loses the race to the first, whose handle was given out.
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle.clone())
}
