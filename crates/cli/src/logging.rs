//! Logs on standard error.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Flags that every command has.
#[derive(Args, Debug)]
pub(crate) struct LogOptions {
    /// What is logged: error, warn, info, debug, trace, or directives per module such as
    /// `warn,burgee_pki=debug`
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Logs"
    )]
    log_level: String,
    /// How logs are written
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// One JSON object in each line
    Json,
    /// Lines for people
    Text,
}

impl LogOptions {
    /// Starts logging to standard error. Colours are for terminals, unless `NO_COLOR` is set.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        let filter = EnvFilter::try_new(&self.log_level)
            .with_context(|| format!("invalid value '{}' for --log-level", self.log_level))
            .map_err(Failure::Usage)?;
        let has_colour = io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(has_colour);
        // It fails only where a program that embeds this one logs its own way already.
        let _ = match self.log_format {
            LogFormat::Json => subscriber.json().try_init(),
            LogFormat::Text => subscriber.try_init(),
        };
        Ok(())
    }
}
