//! kubectl, with nobody's configuration but the test's.

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
        let minified = self.run("config view --minify --raw -o json").ok();
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

    /// Runs it with the arguments of a command line; single quotes keep blanks together.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run(&self, line: &str) -> Output {
        run(&mut self.command(line))
    }

    /// Runs it with the arguments of a command line, and a manifest as input.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run_with_input(&self, line: &str, input: &str) -> Output {
        run_with_input(&mut self.command(line), input)
    }

    /// Starts it and reads its output line by line, as for `--watch`.
    ///
    /// # Panics
    ///
    /// As [`Conversation::start`].
    #[must_use]
    #[track_caller]
    pub fn start(&self, line: &str) -> Conversation {
        Conversation::start(&mut self.command(line))
    }

    /// The command, for what the other functions do not do.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(tool("kubectl"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.home.path())
            .args(words(line))
            .args(&self.credential);
        command
    }
}

/// The words of a command line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_with(String::new);
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            character => word.get_or_insert_with(String::new).push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            words("patch cm a -p '{\"a\": 1}'"),
            ["patch", "cm", "a", "-p", "{\"a\": 1}"]
        );
        assert_eq!(words(" --from-literal=a='' "), ["--from-literal=a="]);
    }
}
