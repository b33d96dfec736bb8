//! `burgee man`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::failure::Failure;

/// Write manual pages, one for each command, into a directory
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  burgee man /usr/local/share/man/man1")]
pub(crate) struct Arguments {
    /// A directory that exists
    directory: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self, command: clap::Command) -> Result<(), Failure> {
        clap_mangen::generate_to(command, &self.directory)
            .with_context(|| format!("cannot write to {}", self.directory.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        let command = crate::command();
        let names: Vec<_> = command
            .get_subcommands()
            .map(|each| each.get_name().to_owned())
            .collect();
        let arguments = Arguments {
            directory: directory.path().to_owned(),
        };
        assert!(arguments.run(command).is_ok());
        assert!(!names.is_empty());
        for name in names {
            assert!(
                directory.path().join(format!("burgee-{name}.1")).exists(),
                "{name}"
            );
        }
    }
}
