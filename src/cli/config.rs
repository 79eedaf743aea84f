//! `chartly config`: what the settings are, where each came from, and what is wrong with them.

use clap::{Subcommand, ValueEnum};

use super::{layers, serve, tell_notes};
use crate::node::{StartError, check_settings};
use crate::settings::Format;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints every setting with where it came from; secrets are hidden.
    Print {
        /// How to print.
        #[arg(long, value_enum, default_value_t = Form::Yaml)]
        format: Form,
        #[command(flatten)]
        flags: serve::Args,
    },
    /// Tells all problems at once, with file and line. Exit code 78 where there are any.
    Check {
        #[command(flatten)]
        flags: serve::Args,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Yaml,
    Json,
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Yaml => Self::Yaml,
            Form::Json => Self::Json,
        }
    }
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    match args.verb {
        Verb::Print { format, flags } => {
            let loaded = layers(&flags.folder(), serve::overrides(flags))?;
            tell_notes(&loaded);
            print!("{}", loaded.shown(format.into()));
        }
        Verb::Check { flags } => {
            let loaded = layers(&flags.folder(), serve::overrides(flags))?;
            tell_notes(&loaded);
            check_settings(&loaded.settings)?;
            println!("the settings are good");
        }
    }
    Ok(0)
}
