//! `burgee completions`.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::print;

/// Write a script that completes commands and flags in a shell
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  burgee completions bash > /etc/bash_completion.d/burgee")]
pub(crate) struct Arguments {
    /// The shell that it is for
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(self, mut command: clap::Command) -> Result<(), Failure> {
        // The generator would panic if it wrote to a closed pipe itself.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "burgee", &mut script);
        print(&String::from_utf8(script)?)
    }
}
