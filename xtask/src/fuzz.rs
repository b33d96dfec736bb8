//! The smoke run of the fuzz targets.
//!
//! Real fuzzing is `cargo fuzz` with a nightly toolchain and hours of time (see CONTRIBUTING.md).
//! This is the least that keeps every target compiling and free of what a few seconds find: the
//! stable toolchain with coverage, without sanitizers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// How long each target runs.
const SECONDS: u32 = 5;

/// What guides libFuzzer through the code: LLVM's coverage pass with the counters that it reads.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
];

/// Builds every fuzz target and runs each for a few seconds, all at the same time.
///
/// Says so and does nothing where there is no C++ compiler, which libFuzzer needs.
///
/// # Errors
///
/// A target does not compile, or found an input that breaks its code.
pub(crate) fn smoke() -> Result<()> {
    let fuzz = process::root().join("fuzz");
    if !process::exists("c++") {
        eprintln!("fuzz targets skipped: libFuzzer needs a C++ compiler, and there is no `c++`");
        return Ok(());
    }
    let output = process::target_directory()?.join("fuzz");
    let host = host()?;
    process::run(
        process::cargo()
            .args(["build", "--release", "--bins"])
            .arg(format!(
                "--manifest-path={}",
                fuzz.join("Cargo.toml").display()
            ))
            .arg(format!("--target-dir={}", output.display()))
            // With a target named, build scripts and macros stay free of the flags.
            .arg(format!("--target={host}"))
            .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"))
            // Built more often than run for long.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    )?;
    let targets = targets(&fuzz)?;
    let programs = output.join(host).join("release");
    thread::scope(|scope| {
        let runs: Vec<_> = targets
            .iter()
            .map(|target| scope.spawn(|| run_one(target, &programs, &fuzz, &output)))
            .collect();
        for run in runs {
            match run.join() {
                Ok(result) => result?,
                Err(_) => bail!("a thread that ran a fuzz target panicked"),
            }
        }
        Ok(())
    })
}

/// The names of all targets: one file each.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let directory = fuzz.join("fuzz_targets");
    let entries =
        fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

fn run_one(target: &str, programs: &Path, fuzz: &Path, output: &Path) -> Result<()> {
    let corpus = output.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("creating {}", corpus.display()))?;
    let findings = format!("{}/{target}-", output.display());
    let mut command = Command::new(programs.join(target));
    command
        .arg(format!("-max_total_time={SECONDS}"))
        .arg(format!("-artifact_prefix={findings}"))
        // What is found goes into the first directory; the committed seeds are only read.
        .arg(&corpus)
        .stdin(Stdio::null());
    let seeds = fuzz.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let ran = command
        .output()
        .with_context(|| format!("starting fuzz target {target}"))?;
    let log = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        bail!("fuzz target {target} failed; its input was written to {findings}*\n{log}");
    }
    let last = log
        .lines()
        .rev()
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    println!("fuzz {target}: {last}");
    Ok(())
}

/// The triple of this machine, as rustc names it.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .context("asking rustc for its host")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not say which host it is for")
}
