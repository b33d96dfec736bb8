//! Servers as processes of their own, and what the kernel knows of them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// What stands before the URL on the line that says that a server is ready.
const READY: &str = "Serving at https://";

/// A server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

/// What a process keeps in memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All that is resident, the program's own file included.
    pub(crate) resident: f64,
    /// Of that, what is backed by no file.
    pub(crate) anonymous: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts a program and waits for the line on which it says where it listens. What it says on
    /// its standard error goes to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let errors = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        let output = child.stdout.take().context("the output is piped")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix(READY)?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let status = child.wait()?;
            let said = fs::read_to_string(log).unwrap_or_default();
            bail!("{program} ended with {status} before it was ready:\n{said}");
        };
        // A pipe that nobody reads would block it at some time.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time that it has used, user and system.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program, in parentheses, may contain anything.
        let (_, fields) = stat
            .rsplit_once(')')
            .context("reading the process's times")?;
        let ticks: Result<Vec<u64>, _> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect();
        let ticks: u64 = ticks?.iter().sum();
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// What it keeps in memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|line| line.split_whitespace().next());
            let kibibytes: f64 = kibibytes.context("reading the process's memory")?.parse()?;
            Ok(kibibytes / 1024.0)
        };
        Ok(Memory {
            resident: field("VmRSS:")?,
            anonymous: field("RssAnon:")?,
            peak: field("VmHWM:")?,
        })
    }

    /// What it keeps in memory once it has stopped changing for a second.
    pub(crate) async fn settled_memory(&self) -> Result<Memory> {
        let mut before = self.memory()?;
        let mut unchanged = 0;
        while unchanged < 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.memory()?;
            unchanged = match now.resident == before.resident {
                true => unchanged + 1,
                false => 0,
            };
            before = now;
        }
        Ok(before)
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that was built together with this one.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("asking where this program stands")?;
    let program = own.with_file_name(name);
    if !program.exists() {
        bail!(
            "there is no {}: run `cargo xtask bench`, which builds it",
            program.display()
        );
    }
    Ok(program)
}
