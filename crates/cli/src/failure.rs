//! How the program ends when it does not succeed.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use burgee_oidc::ConfigurationError;

use crate::serve::InvalidConfig;

/// What went wrong, and whose doing it is.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command could not do its work: exit code 1.
    Failed(anyhow::Error),
    /// The answer is no, and the output has said so: exit code 1.
    Told,
    /// The command line or the configuration is wrong: exit code 2.
    Usage(anyhow::Error),
}

impl Failure {
    /// Prints the failure to standard error and says how to exit.
    pub(crate) fn report(&self) -> ExitCode {
        let (error, code) = match self {
            Self::Failed(error) => (error, ExitCode::from(1)),
            Self::Told => return ExitCode::from(1),
            Self::Usage(error) => (error, ExitCode::from(2)),
        };
        // Whoever reads only the beginning of the output has closed the pipe on purpose.
        if !is_closed_pipe(error) {
            eprint!("{}", render(error));
        }
        code
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// One line with the error and its causes, then the problems of a configuration and what to do.
fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}\n");
    for cause in error.chain() {
        if let Some(invalid) = cause.downcast_ref::<InvalidConfig>() {
            for problem in &invalid.problems {
                let _ = writeln!(text, "  {problem}");
            }
        }
        if let Some(configuration) = cause.downcast_ref::<ConfigurationError>() {
            for problem in configuration.problems() {
                if let Some(line) = problem.line {
                    let _ = writeln!(text, "  line {line}: {}", problem.error.path);
                }
            }
        }
        let hint = cause
            .downcast_ref::<burgee_pki::Error>()
            .and_then(burgee_pki::Error::hint);
        if let Some(hint) = hint {
            let _ = writeln!(text, "hint: {hint}");
        }
    }
    text
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes_once_and_then_the_hint() {
        let error: anyhow::Error = burgee_pki::Error::KeyExposed {
            file: "/data/pki/ca.key".into(),
            mode: 0o644,
        }
        .into();
        let error = Err::<(), _>(error)
            .context("cannot open /data")
            .unwrap_err();
        assert_eq!(
            render(&error),
            "error: cannot open /data: private key /data/pki/ca.key is open to others (mode 0644)\n\
             hint: run: chmod 600 /data/pki/ca.key\n"
        );
    }
}
