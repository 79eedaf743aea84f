//! `chartly profile explain`: what a profile means, and what it would ask.

use std::path::PathBuf;
use std::process::ExitCode;

use super::refuse;
use crate::pipeline::fetch::{Asked, now_ms};
use crate::pipeline::preview::StandIns;
use crate::pipeline::requests::{FirstRequests, first_requests};
use crate::profiles;

/// Requests that are printed.
const MAX_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    file: PathBuf,
}

pub fn run(args: &Args) -> ExitCode {
    let file = args.file.display().to_string();
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) => return refuse(2, format!("{file}: {error}")),
    };
    let both = profiles::explain(&text).and_then(|long| Ok((long, profiles::load(&text)?)));
    let (long, profile) = match both {
        Ok(both) => both,
        Err(problems) => return refuse(2, problems.in_file(&file)),
    };
    println!("# What {file} means, in full\n{long}");
    print!("{}", told(&first_requests(&profile, now_ms(), &StandIns, MAX_SHOWN)));
    ExitCode::SUCCESS
}

fn told(requests: &FirstRequests) -> String {
    let FirstRequests { sets, windows, sign_in, shown } = requests;
    let all = sets * windows;
    let mut text = String::new();
    if let Some(request) = sign_in {
        text.push_str("# Before it, where no token is held, it signs in\n");
        tell(request, &mut text);
    }
    text.push_str(&format!(
        "# A run now begins {all} list{} of pages: {sets} parameter set{} × {windows} window{}\n",
        plural(all),
        plural(*sets),
        plural(*windows)
    ));
    for request in shown {
        tell(request, &mut text);
    }
    if all > shown.len() {
        text.push_str(&format!("# and {} more\n", all - shown.len()));
    }
    text
}

fn tell(request: &Result<Asked, String>, text: &mut String) {
    match request {
        Ok(Asked { method, url, headers, body, .. }) => {
            text.push_str(&format!("{method} {url}\n"));
            text.extend(headers.iter().map(|(name, value)| format!("  {name}: {value}\n")));
            text.extend(body.iter().map(|body| format!("  {body}\n")));
        }
        Err(reason) => text.push_str(&format!("(cannot be made: {reason})\n")),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
