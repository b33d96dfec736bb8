//! Programs that go on running while a test talks to them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::{DEADLINE, eventually};

/// A running program whose output is read line by line; killed when this is dropped.
pub struct Conversation {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Conversation {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take().expect("its input is piped");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            input,
            lines,
        }
    }

    /// The next line that it prints, once it is there.
    ///
    /// # Panics
    ///
    /// If none comes within [`DEADLINE`].
    #[track_caller]
    pub fn hear(&self) -> String {
        self.lines
            .recv_timeout(DEADLINE)
            .expect("the program prints another line")
    }

    /// Gives it a line.
    ///
    /// # Panics
    ///
    /// If it no longer reads.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the program reads what it is told");
    }

    /// Waits for its end and answers with its exit code, -1 if a signal ended it.
    ///
    /// # Panics
    ///
    /// If it does not end within [`DEADLINE`].
    #[track_caller]
    pub fn finish(mut self) -> i32 {
        let status = eventually("the program's end", || self.child.try_wait().ok().flatten());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_answered() {
        let mut echo =
            Conversation::start(Command::new("sh").args(["-c", "read a; echo got $a; exit 4"]));
        echo.say("one");
        assert_eq!(echo.hear(), "got one");
        assert_eq!(echo.finish(), 4);
    }
}
