//! The command line of Burgee: arguments, configuration, output.
//!
//! [`run`] is the whole program. Arguments are read into plain structs, resolved into a validated
//! plan such as [`serve::ServeConfig`], and only then acted on. Results go to standard output; errors
//! and logs go to standard error.
//!
//! | Exit code | Meaning |
//! | --- | --- |
//! | 0 | success |
//! | 1 | the command failed |
//! | 2 | the command line or the configuration is wrong |
//!
//! ```
//! use std::process::ExitCode;
//!
//! assert_eq!(burgee::run(["burgee", "version"]), ExitCode::SUCCESS);
//! assert_eq!(burgee::run(["burgee", "--no-such-flag"]), ExitCode::from(2));
//! ```

mod completions;
mod duration;
mod explain;
mod failure;
mod logging;
mod manual;
mod output;
pub mod serve;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use burgee_wire::url as go_url;
use clap::{CommandFactory as _, Parser, Subcommand};

pub use duration::Duration;

use logging::LogOptions;

/// The identity plane of Kubernetes as one small, fast program.
#[derive(Debug, Parser)]
#[command(
    name = "burgee",
    version,
    disable_help_subcommand = true,
    propagate_version = true,
    after_help = "Exit codes: 0 success, 1 failure, 2 wrong command line or configuration."
)]
struct Cli {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Completions(completions::Arguments),
    Explain(explain::Arguments),
    Man(manual::Arguments),
    Serve(Box<serve::Arguments>),
    Version(version::Arguments),
}

/// Runs the program with these arguments, the first of which is its own name.
pub fn run<T>(arguments: impl IntoIterator<Item = T>) -> ExitCode
where
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and clap knows which stream each belongs on. Nobody is
            // left to tell when that stream is closed.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let done = cli.log.start().and_then(|()| match cli.command {
        Command::Completions(arguments) => arguments.run(command()),
        Command::Explain(arguments) => arguments.run(),
        Command::Man(arguments) => arguments.run(command()),
        Command::Serve(arguments) => arguments.run(),
        Command::Version(arguments) => arguments.run(),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The definition of every command and flag, from which completions and manual pages are made.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definitions_of_commands_and_flags_agree_with_each_other() {
        super::command().debug_assert();
    }
}
