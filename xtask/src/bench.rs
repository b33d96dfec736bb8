//! `cargo xtask bench`: builds the program and its benchmarks for release, and runs them.

use std::process::Command;

use anyhow::Result;

use crate::process;

/// Runs the benchmarks; their arguments are theirs.
///
/// # Errors
///
/// The build or a benchmark failed.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut build = process::cargo();
    build.args([
        "build",
        "--release",
        "--package=burgee",
        "--package=burgee-benches",
    ]);
    process::run(&mut build)?;
    let program = process::target_directory()?.join("release/burgee-bench");
    process::run(Command::new(program).args(arguments))
}
