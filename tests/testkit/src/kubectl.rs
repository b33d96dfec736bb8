//! kubectl, with nobody's configuration but the test's.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Conversation, Output, run, run_with_input, tool};

/// kubectl with one kubeconfig, and with a home and caches of its own.
pub struct Kubectl {
    home: TempDir,
    kubeconfig: PathBuf,
    credential: Vec<String>,
}

impl Kubectl {
    /// kubectl as the user of a kubeconfig.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be made.
    #[must_use]
    pub fn new(kubeconfig: &Path) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            home,
            kubeconfig: kubeconfig.to_owned(),
            credential: Vec::new(),
        }
    }

    /// kubectl as the bearer of a token, at the server of this one.
    ///
    /// The kubeconfig's own user is left out: a client certificate would win over the token.
    ///
    /// # Panics
    ///
    /// If kubectl cannot rewrite the kubeconfig.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let minified = self
            .run(["config", "view", "--minify", "--raw", "-o", "json"])
            .ok();
        let mut config: Value = serde_json::from_str(&minified).expect("JSON");
        config["users"][0]["user"] = json!({});
        let kubeconfig = home.path().join("kubeconfig");
        fs::write(&kubeconfig, config.to_string()).expect("its home is writable");
        Self {
            home,
            kubeconfig,
            credential: vec![format!("--token={token}")],
        }
    }

    /// The directory in which kubectl runs, for files that its arguments name.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into [`Kubectl::directory`].
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn file(&self, name: &str, text: &str) {
        fs::write(self.directory().join(name), text).expect("its home is writable");
    }

    /// Runs it with these arguments.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Output {
        run(&mut self.command(arguments))
    }

    /// Runs it with these arguments, and a manifest as input.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run_with_input<T: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = T>,
        input: &str,
    ) -> Output {
        run_with_input(&mut self.command(arguments), input)
    }

    /// Starts it and reads its output line by line, as for `--watch`.
    ///
    /// # Panics
    ///
    /// As [`Conversation::start`].
    #[must_use]
    #[track_caller]
    pub fn start<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Conversation {
        Conversation::start(&mut self.command(arguments))
    }

    /// The command, for what the other functions do not do.
    #[must_use]
    pub fn command<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Command {
        let mut command = Command::new(tool("kubectl"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.home.path())
            .args(&self.credential)
            .args(arguments);
        command
    }
}
