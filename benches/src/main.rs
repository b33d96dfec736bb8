//! The benchmarks of Burgee, run as `cargo xtask bench`.
//!
//! Every figure becomes one line of JSON on the standard output as soon as it is known, and all of
//! them a table on the standard error at the end. Servers run as processes of their own and are
//! loaded from this one; each figure of theirs stands beside one of a bare server, or of the disk,
//! that was measured in turn with it. `docs/performance.md` explains the figures.

mod chain;
mod client;
mod creates;
mod figure;
mod gets;
mod load;
mod measure;
mod process;
mod secrets;
mod starts;
mod subject;
mod tokens;
mod watches;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::figure::Report;

/// The benchmarks by name, in the order in which they run.
const NAMES: [&str; 7] = [
    "token", "chain", "start", "get", "create", "secrets", "watch",
];

/// What is to be run.
#[derive(Debug)]
struct Plan {
    filter: String,
    quick: bool,
}

impl Plan {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self {
            filter: String::new(),
            quick: false,
        };
        for argument in arguments {
            match argument.as_str() {
                "--quick" => plan.quick = true,
                _ if argument.starts_with('-') || !plan.filter.is_empty() => {
                    bail!("usage: cargo xtask bench [NAME-FILTER] [--quick]")
                }
                _ => plan.filter = argument,
            }
        }
        if plan.names().next().is_none() {
            let names = NAMES.join(", ");
            bail!(
                "no benchmark has {:?} in its name; there are {names}",
                plan.filter
            );
        }
        Ok(plan)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(|name| name.contains(&self.filter))
    }

    /// The first in a run whose figures count, the second in a quick look.
    fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How often everything is measured; the median counts.
    fn rounds(&self) -> usize {
        self.choose(7, 3)
    }

    /// How long one round is.
    fn round_time(&self) -> Duration {
        self.choose(Duration::from_millis(1500), Duration::from_millis(400))
    }
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let before = load_average();
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run(&plan, &mut report) => outcome,
            // Dropping what runs kills the servers and removes their directories.
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    });
    eprintln!("\n{}", report.table());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    eprintln!(
        "{cores} cores; load average {before} before, {} after",
        load_average()
    );
    outcome
}

async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for name in plan.names() {
        match name {
            "token" => tokens::run(plan, report)?,
            "chain" => chain::run(plan, report)?,
            "start" => starts::run(plan, report).await?,
            "get" => gets::run(plan, report).await?,
            "create" => creates::run(plan, report).await?,
            "secrets" => secrets::run(plan, report).await?,
            _ => watches::run(plan, report).await?,
        }
    }
    Ok(())
}

/// How many threads wanted to run in the last minute: more than there are cores means noise.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan> {
        Plan::parse(arguments.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_filter_selects_by_part_of_the_name() {
        let all: Vec<_> = plan(&["--quick"]).unwrap().names().collect();
        assert_eq!(all, NAMES);
        let some: Vec<_> = plan(&["et"]).unwrap().names().collect();
        assert_eq!(some, ["get", "secrets"]);
    }

    #[test]
    fn what_selects_nothing_or_is_unknown_is_refused() {
        for arguments in [&["nonsense"][..], &["--slow"], &["get", "watch"]] {
            assert!(plan(arguments).is_err(), "{arguments:?}");
        }
    }
}
