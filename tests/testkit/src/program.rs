//! Where the programs stand.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The built `burgee`, about to be run with none of the caller's configuration.
///
/// # Panics
///
/// If it has not been built.
#[must_use]
pub fn burgee() -> Command {
    let program = beside("BURGEE_TEST_BINARY", |target, profile| {
        target.join(profile).join("burgee")
    });
    assert!(
        program.is_file(),
        "{} is missing: run `cargo xtask test`",
        program.display()
    );
    let mut command = Command::new(program);
    command.env_remove("KUBECONFIG").env("NO_COLOR", "1");
    command
}

/// The directory of the installed tools.
#[must_use]
pub fn tools() -> PathBuf {
    beside("BURGEE_TEST_TOOLS", |target, _| target.join("tools"))
}

/// One of the installed tools, such as `kubectl`.
///
/// # Panics
///
/// If it has not been installed.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let tool = tools().join("bin").join(name);
    assert!(
        tool.is_file(),
        "{} is missing: run `cargo xtask tools`",
        tool.display()
    );
    tool
}

/// The root of the repository.
///
/// # Panics
///
/// Never: this file stands in it.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/testkit has a root")
}

/// What a variable names, else a path that starts from Cargo's target directory and profile.
fn beside(variable: &str, path: impl Fn(&Path, &str) -> PathBuf) -> PathBuf {
    if let Some(named) = env::var_os(variable) {
        return PathBuf::from(named);
    }
    // Tests stand in TARGET/PROFILE/deps.
    let test = env::current_exe().expect("a running test knows its own file");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test stands in Cargo's target directory");
    let target = profile
        .parent()
        .expect("a profile stands in Cargo's target directory");
    let name = profile
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a profile has a name");
    path(target, name)
}
