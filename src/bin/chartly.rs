//! `chartly`: everything an operator runs.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    chartly::clients::install_crypto();
    chartly::cli::run(chartly::cli::Cli::parse())
}
