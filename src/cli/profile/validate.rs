//! `chartly profile validate`: all problems of all files at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use super::files;
use crate::profiles::{self, Problems};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or folders of `*.yaml` and `*.yml` at any depth.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// `text` for people; `json` for machines: a list of {file, line, column, message, hint} on stdout.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// One problem of one file. Without a line it is the file as a whole.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Default)]
struct Tally {
    files: usize,
    faulty: usize,
    unreadable: usize,
    findings: Vec<Finding>,
    /// The file of each id.
    ids: BTreeMap<String, String>,
}

pub fn run(args: &Args) -> ExitCode {
    let mut tally = Tally::default();
    for (path, text) in files::collect(&args.paths) {
        let file = path.display().to_string();
        tally.files += 1;
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                tally.unreadable += 1;
                tally.whole_file(file, error.to_string(), args.output);
                continue;
            }
        };
        match profiles::load(&text) {
            Ok(profile) => tally.is_unique(profile.id().as_str(), file, args.output),
            Err(problems) => tally.problems(&file, &problems, args.output),
        }
    }
    tally.end(args.output)
}

impl Tally {
    fn whole_file(&mut self, file: String, message: String, output: Output) {
        if output == Output::Text {
            eprintln!("{file}: {message}\n");
        }
        self.findings.push(Finding { file, line: None, column: None, message, hint: None });
    }

    fn problems(&mut self, file: &str, problems: &Problems, output: Output) {
        self.faulty += 1;
        if output == Output::Text {
            eprintln!("{}", problems.in_file(file));
        }
        self.findings.extend(problems.iter().map(|problem| Finding {
            file: file.to_owned(),
            line: Some(problem.line),
            column: Some(problem.column),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }));
    }

    /// Two files with one id would fight over one profile.
    fn is_unique(&mut self, id: &str, file: String, output: Output) {
        let Some(other) = self.ids.insert(id.to_owned(), file.clone()) else { return };
        if other == file {
            return;
        }
        self.faulty += 1;
        self.whole_file(file, format!("id {id} is defined in {other} too; ids must be unique"), output);
    }

    fn end(self, output: Output) -> ExitCode {
        match output {
            Output::Json => println!("{}", serde_json::to_string_pretty(&self.findings).unwrap_or_default()),
            Output::Text => {
                println!("{} profiles, {} with problems, {} unreadable", self.files, self.faulty, self.unreadable);
            }
        }
        match (self.unreadable, self.faulty) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}
