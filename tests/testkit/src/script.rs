//! Scripts that use other languages' clients.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Conversation, Output, run, tool, tools};

/// A script, with its interpreter and the installed packages, as the user of a kubeconfig.
pub struct Script {
    directory: TempDir,
    interpreter: PathBuf,
    file: PathBuf,
    kubeconfig: PathBuf,
}

impl Script {
    /// A script of the repository: `.py` for Python, `.mjs` for Node.
    ///
    /// # Panics
    ///
    /// If there is no such script, or its interpreter has not been installed.
    #[must_use]
    pub fn new(file: &Path, kubeconfig: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let interpreter = match file.extension().and_then(|extension| extension.to_str()) {
            Some("py") => tool("python"),
            Some("mjs") => tool("node"),
            _ => panic!("{} is no script of a known language", file.display()),
        };
        // Node looks for packages beside the script that imports them, so it runs where they are.
        let copy = directory
            .path()
            .join(file.file_name().expect("a script has a name"));
        fs::copy(file, &copy).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        symlink(
            tools().join("node_modules"),
            directory.path().join("node_modules"),
        )
        .expect("a temporary directory can hold a link");
        Self {
            directory,
            interpreter,
            file: copy,
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    /// Starts it, to be talked to in lines.
    ///
    /// # Panics
    ///
    /// As [`Conversation::start`].
    #[must_use]
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Conversation {
        Conversation::start(&mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.interpreter);
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(self.directory.path())
            .arg(&self.file)
            .args(arguments);
        command
    }
}
