//! `chartly profile new`: a commented profile from one answer of a source.

use std::path::PathBuf;
use std::process::ExitCode;

use super::reach::Reach;
use super::refuse;
use crate::cli::on_actix;
use crate::pipeline::FetchSettings;
use crate::pipeline::preview::look;
use crate::pipeline::sight::sight;
use crate::profiles::propose::{ProposeError, Seen, propose, propose_from_openapi};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the source; fetched once unless an answer is given.
    #[arg(required_unless_present_any = ["answer", "openapi"])]
    url: Option<String>,
    /// A saved answer instead of fetching one.
    #[arg(long, conflicts_with = "openapi")]
    answer: Option<PathBuf>,
    /// An OpenAPI document, JSON or YAML: its first operation that gives rows.
    #[arg(long, conflicts_with = "url")]
    openapi: Option<PathBuf>,
    /// The profile's id; made of the address where it is not given.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

pub fn run(args: &Args) -> ExitCode {
    if let Some(id) = &args.id
        && let Err(error) = crate::domain::ids::ProfileId::parse(id)
    {
        return refuse(2, format!("--id: {error}"));
    }
    match proposal(args) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err((code, message)) => refuse(code, message),
    }
}

fn proposal(args: &Args) -> Result<String, (u8, String)> {
    let id = args.id.as_deref();
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| (2, format!("{}: {error}", path.display())));
    let told = |error: ProposeError| (1, error.to_string());
    if let Some(path) = &args.openapi {
        let text = String::from_utf8(read(path)?).map_err(|error| (2, format!("{}: {error}", path.display())))?;
        return propose_from_openapi(&text, id).map_err(told);
    }
    let url = args.url.as_deref().unwrap_or("");
    let (body, has_next_link) = match &args.answer {
        Some(path) => (read(path)?, false),
        None => {
            let settings: FetchSettings = args.reach.settings().map_err(|message| (2, message))?;
            on_actix(look(settings, url)).map_err(|message| (2, message))?
        }
    };
    let sight = sight(&body).map_err(|message| (1, message))?;
    let seen = Seen { url, body: &sight.text, is_xml: sight.is_xml, packing: sight.packing.clone(), has_next_link, id };
    propose(&seen).map_err(told)
}
