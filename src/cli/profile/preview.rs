//! `chartly profile preview`: one run of the real engine that stores nothing.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::reach::Reach;
use super::{refuse, table};
use crate::actors::drone::EnvironmentSecrets;
use crate::cli::on_actix;
use crate::domain::run::RunState;
use crate::pipeline::fetch::{Asked, Recording, SavedAnswer, now_ms};
use crate::pipeline::kept::{KeepError, Keeper, SavedFolder, Shelf};
use crate::pipeline::preview::{Extent, Preview, StandIns, preview_keeping};
use crate::pipeline::{Dropped, Fetcher, RunOutcome, Secrets};
use crate::profiles::{self, Profile};

#[derive(Debug, clap::Args)]
pub struct Args {
    file: PathBuf,
    /// Instead of the source: a file with one answer, or a folder with `index.json` and the answers it lists.
    #[arg(long)]
    answer: Option<PathBuf>,
    /// Records to show.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// A new folder that takes the source's answers, secrets taken out, in the form of a profile's test: move it to
    /// `<name>.test/pages` beside the profile, and its expected records to `<name>.test/expected.jsonl`.
    #[arg(long, conflicts_with = "answer")]
    save_answers: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
    /// `table` for people; `ndjson`: the records alone on stdout, one a line.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Ndjson,
}

pub fn run(args: &Args) -> ExitCode {
    let profile = match load(&args.file) {
        Ok(profile) => profile,
        Err(message) => return refuse(2, message),
    };
    let played = match &args.answer {
        Some(path) => recording(path).map(Some),
        None => Ok(None),
    };
    let (played, settings) = match (played, args.reach.settings()) {
        (Ok(played), Ok(settings)) => (played, settings),
        (Err(message), _) | (_, Err(message)) => return refuse(2, message),
    };
    let saving = args.save_answers.as_deref().map(|folder| {
        SavedFolder::create(folder)
            .map(|saved| (folder, Keeper::new(Shelf::Folder(saved))))
            .map_err(|error| (folder, error))
    });
    let saving = match saving.transpose() {
        Ok(saving) => saving,
        Err((folder, error)) => return refuse(2, format!("{}: {error}", folder.display())),
    };
    let keeper = saving.as_ref().map(|(_, keeper)| keeper);
    let at_ms = now_ms();
    let given = on_actix(async {
        let (fetcher, extent, secrets): (_, _, &dyn Secrets) = match played {
            Some(recording) => (Fetcher::recorded(recording), Extent::whole(&profile, args.limit), &StandIns),
            None => (Fetcher::new(settings), Extent::first(&profile, args.limit), &EnvironmentSecrets),
        };
        preview_keeping(&fetcher.with_journal(), &profile, extent, at_ms, secrets, keeper).await
    });
    show(&given, args.output);
    if let Some((folder, filled)) = saving
        && let Err(error) = saved(folder, filled, at_ms)
    {
        return refuse(2, format!("{}: {error}", folder.display()));
    }
    match given.outcome.state {
        RunState::Failed => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    }
}

/// Closes the folder of saved answers.
fn saved(folder: &Path, keeper: Keeper, at_ms: i64) -> Result<(), KeepError> {
    if let Shelf::Folder(saved) = keeper.end()? {
        eprintln!(
            "{} answers saved in {}; for windows and {{now}} put this into the profile:",
            saved.finish()?,
            folder.display()
        );
        eprintln!("test: {{now: {}}}", crate::domain::moment::shown(at_ms));
    }
    Ok(())
}

/// Reads a profile; the error shows all its problems.
pub fn load(file: &Path) -> Result<Profile, String> {
    let text = super::files::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    profiles::load(&text).map_err(|problems| problems.in_file(&file.display().to_string()).to_string())
}

fn recording(path: &Path) -> Result<Recording, String> {
    if path.is_dir() {
        return Recording::read(path).map_err(|error| error.to_string());
    }
    let body = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Recording::new(vec![SavedAnswer::plain(body)]))
}

fn show(given: &Preview, output: Output) {
    match output {
        Output::Ndjson => given.records.iter().for_each(|record| println!("{record}")),
        Output::Table if given.records.is_empty() => println!("no records"),
        Output::Table => print!("{}", table::table(&given.records)),
    }
    eprint!("\n{}", told(&given.outcome, given.records.len()));
    eprint!("{}", requests(&given.asked, given.outcome.requests));
}

/// What became of the rows, in words.
fn told(outcome: &RunOutcome, shown: usize) -> String {
    let mut text = format!(
        "{}: {} rows, {} records ({shown} shown), {} duplicates, {} rows dropped\n",
        outcome.state.as_str(),
        outcome.rows,
        outcome.records,
        outcome.duplicates,
        outcome.dropped_rows(),
    );
    if let Some(error) = &outcome.error {
        text.push_str(&format!("  {error}\n"));
    }
    for (list, what) in [(&outcome.dropped, "rows dropped"), (&outcome.unread, "values left out")] {
        let line = |Dropped { reason, rows, example }: &Dropped| {
            let example = example.as_ref().map(|value| format!(", such as {value:?}")).unwrap_or_default();
            format!("  {rows} {what}: {reason}{example}\n")
        };
        text.extend(list.iter().map(line));
    }
    if !outcome.rejects.rows.is_empty() {
        text.push_str("  rows that failed:\n");
    }
    text.extend(outcome.rejects.rows.iter().map(|row| format!("    {}: {}\n", row.reason, one_line(&row.excerpt))));
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn requests(asked: &[Asked], made: u64) -> String {
    let mut text = format!("{made} requests\n");
    for Asked { method, url, body, answer, .. } in asked {
        let answer = answer.as_ref().map(|answer| format!(" → {answer}")).unwrap_or_default();
        let body = body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
        text.push_str(&format!("  {method} {url}{body}{answer}\n"));
    }
    text
}
