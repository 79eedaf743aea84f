//! `chartly-drone`: the edge worker.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    chartly::clients::install_crypto();
    chartly::cli::drone::run(&chartly::cli::drone::Cli::parse())
}
