//! Running programs: shown before they start, judged by their exit status.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// A program ran and reported failure; what went wrong stands in its own output.
#[derive(Debug)]
pub(crate) struct Failed {
    command: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "failed: {}", self.command)
    }
}

impl std::error::Error for Failed {}

/// Prints a command, runs it with this program's input and output, and waits for its end.
///
/// # Errors
///
/// The program could not be started, or ended with a status other than 0 ([`Failed`]).
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let status = command
        .status()
        .with_context(|| format!("starting `{shown}`"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failed { command: shown }.into())
    }
}

/// Whether a program of this name can be run at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The Cargo that runs this program, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Cargo's target directory: where this program itself was built.
///
/// # Errors
///
/// The operating system does not say where this program stands.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let program = std::env::current_exe().context("asking where this program stands")?;
    let target = program
        .parent()
        .and_then(Path::parent)
        .context("this program stands nowhere")?;
    Ok(target.to_owned())
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
