//! `chartly profile`: write, check, try and compare profiles, one file for each verb. Only `preview` and `new` with a
//! URL touch the network.

mod diff;
mod explain;
pub(super) mod files;
mod new;
mod preview;
mod reach;
mod replay;
mod table;
mod test;
mod validate;

use std::process::ExitCode;

use clap::Subcommand;

use crate::profiles;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Checks files and folders; exit code 1 when one has problems, 2 when one cannot be read.
    Validate(validate::Args),
    /// Runs a profile once and shows the first records, what was dropped and what was asked; stores nothing. Exit
    /// code 1 when the run fails, 2 when the profile cannot be used.
    Preview(preview::Args),
    /// Plays the profiles' own tests; exit code 1 when one fails, 2 when one cannot be made.
    Test(test::Args),
    /// Prints the profile with everything said, and the requests that a run now would begin with.
    Explain(explain::Args),
    /// Says what changes in the records between two versions of a profile. Exit code 0: nothing; 1: a patch or minor
    /// version; 2: a breaking change; 3: one of them cannot be used.
    Diff(diff::Args),
    /// Proposes a profile for what a source answers; exit code 1 when no rows are found in it, 2 when there is none.
    New(new::Args),
    /// Reads kept answers again with a mended profile, without asking the source. Exit code 0: every run came out whole
    /// (with --control-plane: the request was taken); 1: one failed, lacks answers or is torn; 2: the profile cannot be
    /// used, nothing is kept, or the control plane refuses.
    Replay(replay::Args),
    /// Prints the JSON Schema of a profile, for editors.
    Schema,
    /// Prints the reference of every key, as Markdown.
    Reference,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match &args.verb {
        Verb::Validate(args) => validate::run(args),
        Verb::Preview(args) => preview::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Diff(args) => diff::run(args),
        Verb::New(args) => new::run(args),
        Verb::Replay(args) => replay::run(args),
        Verb::Schema => {
            println!("{}", profiles::json_schema());
            ExitCode::SUCCESS
        }
        Verb::Reference => {
            print!("{}", profiles::reference());
            ExitCode::SUCCESS
        }
    }
}

/// Says on stderr what is in the way.
fn refuse(code: u8, message: impl std::fmt::Display) -> ExitCode {
    eprintln!("chartly: {message}");
    ExitCode::from(code)
}
