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
    let text = match super::files::read(&args.file) {
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
    let FirstRequests { sets, windows, sign_in, lists, shown } = requests;
    let all = sets * windows;
    let mut text = String::new();
    if let Some(sign_in) = sign_in {
        text.push_str("# Before it, where no token is held, it signs in\n");
        text.push_str(&request(sign_in));
    }
    if !lists.is_empty() {
        text.push_str("# A run first asks for the rows of first\n");
        text.extend(lists.iter().map(request));
        text.push_str("# and then for each of them, their values shown here as names in capitals:\n");
    }
    text.push_str(&format!(
        "# A run now begins {all} list{} of pages: {sets} parameter set{} × {windows} window{}\n",
        plural(all),
        plural(*sets),
        plural(*windows)
    ));
    text.extend(shown.iter().map(request));
    if all > shown.len() {
        text.push_str(&format!("# and {} more\n", all - shown.len()));
    }
    text
}

fn request(request: &Result<Asked, String>) -> String {
    let Asked { method, url, headers, body, .. } = match request {
        Ok(asked) => asked,
        Err(reason) => return format!("(cannot be made: {reason})\n"),
    };
    let headers = headers.iter().map(|(name, value)| format!("  {name}: {value}\n"));
    let body = body.iter().map(|body| format!("  {body}\n"));
    std::iter::once(format!("{method} {url}\n")).chain(headers).chain(body).collect()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
