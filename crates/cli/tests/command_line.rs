//! The program as a shell sees it: streams, exit codes, forms of output.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::process::{Command, Output, Stdio};

fn burgee(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_burgee"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = burgee(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_version_is_printed_in_every_form() {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&["version", "--output=json"])).unwrap();
    assert_eq!(json["version"], version);
    let platform = json["platform"].as_str().unwrap();
    let yaml = stdout(&["version", "--output", "yaml"]);
    assert_eq!(yaml, format!("version: {version}\nplatform: {platform}\n"));
    let table = stdout(&["version"]);
    let fields: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(fields, [version, platform]);
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&["completions", shell]);
        assert!(
            script.contains("version") && script.contains("log-level"),
            "{shell}"
        );
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_crash() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_burgee"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_a_failure_is_1() {
    let cases: [(&[&str], i32, &str); 6] = [
        (&[], 2, "Usage: burgee"),
        (&["no-such-command"], 2, "error: unrecognized subcommand"),
        (
            &["version", "--output", "xml"],
            2,
            "error: invalid value 'xml'",
        ),
        (
            &["version", "--log-level", "a=b=c"],
            2,
            "error: invalid value 'a=b=c' for --log-level: ",
        ),
        (
            &["completions"],
            2,
            "error: the following required arguments",
        ),
        (
            &["man", "/no/such/directory"],
            1,
            "error: cannot write to /no/such/directory: ",
        ),
    ];
    for (arguments, code, message) in cases {
        let output = burgee(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    let help = stdout(&["--help"]);
    assert!(
        help.contains("Exit codes: 0 success, 1 failure, 2 wrong command line or configuration.")
    );
}
