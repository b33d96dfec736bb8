//! Running programs to their end.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use crate::eventually;

/// What a program printed and how it ended.
#[derive(Clone, Debug)]
#[must_use]
pub struct Output {
    /// The command, to be named when an expectation fails.
    pub command: String,
    /// What it printed to standard output.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
}

impl Output {
    /// Standard output of a program that is expected to succeed.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "{} was to succeed:\n{}{}",
            self.command, self.stdout, self.stderr
        );
        self.stdout
    }

    /// Standard error of a program that is expected to end with this exit code.
    ///
    /// # Panics
    ///
    /// If it ended with another.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        let Self {
            command,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(
            self.code, code,
            "{command} was to end with {code}:\n{stdout}{stderr}"
        );
        self.stderr
    }
}

/// Runs a program to its end, without input.
///
/// # Panics
///
/// If it cannot be started, or does not end within [`DEADLINE`](crate::DEADLINE).
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    run_with_input(command, "")
}

/// Runs a program to its end, with this input.
///
/// # Panics
///
/// As [`run`].
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let shown = show(command);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("starting {shown}: {error}"));
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    // A program may end without reading what it was given.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let status = eventually(&format!("the end of {shown}"), || child.try_wait().unwrap());
    Output {
        command: shown,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        code: status.code().unwrap_or(-1),
    }
}

/// The command as a person would type it.
fn show(command: &Command) -> String {
    let program = command.get_program();
    let name = std::path::Path::new(program).file_name().unwrap_or(program);
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_the_input_and_the_exit_code_are_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo oops >&2; exit 3"]);
        let output = run_with_input(&mut command, "hello");
        assert_eq!(output.stdout, "hello");
        assert_eq!(output.fails(3), "oops\n");
    }
}
