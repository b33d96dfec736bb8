//! The README, command by command: what it shows is what happens.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use burgee_testkit::{Server, burgee, normalize, repository, run, tools};

/// Where the README's server listens, and where its reader lives.
const ADDRESS: &str = "127.0.0.1:6443";
const HOME: &str = "/home/jane";

/// The command that starts the server, and the one that runs these tests.
const SERVE: &str = "cargo run --release -- serve";
const TEST: &str = "cargo xtask test";

/// Ends a command's output in what the shell prints; its exit code follows.
const END: char = '\u{1e}';

/// A command of the README and the output that is shown under it. `...` stands for anything in a
/// line, and for any further lines where it stands alone.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

#[test]
fn what_the_readme_shows_is_what_happens() {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    let (outside, steps): (Vec<_>, Vec<_>) = steps(&text)
        .into_iter()
        .partition(|step| step.command == SERVE || step.command == TEST);
    assert_eq!(
        outside
            .iter()
            .map(|step| &*step.command)
            .collect::<Vec<_>>(),
        [SERVE, TEST]
    );
    assert!(steps.len() > 10, "{steps:?}");

    // The reader's home, in which the data directory stands where it does by default.
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".local/share")).unwrap();
    symlink(
        server.data_directory(),
        home.path().join(".local/share/burgee"),
    )
    .unwrap();
    let home = home.path().to_str().unwrap();
    let shown = |text: &str| {
        let data = server.data_directory();
        let text = text.replace(
            data.to_str().unwrap(),
            &format!("{HOME}/.local/share/burgee"),
        );
        normalize(&text.replace(server.address(), ADDRESS).replace(home, HOME))
    };

    let log = shown(&server.log());
    for line in outside[0].output.lines() {
        assert!(
            log.lines().any(|found| found == line),
            "no {line:?} in {log}"
        );
    }
    let outputs = outputs(&steps, &server, home);
    for (step, (output, code)) in steps.iter().zip(outputs) {
        let (command, output) = (&step.command, shown(&output));
        assert_eq!(code, "0", "{command}\n{output}");
        let expected = normalize(&step.output);
        assert!(
            matches(&expected, &output),
            "{command}\nis to print\n{expected}\nnot\n{output}"
        );
    }
}

/// Runs all commands in one shell, as the reader does, and answers with output and exit code of each.
fn outputs(steps: &[Step], server: &Server, home: &str) -> Vec<(String, String)> {
    let mut script = format!(
        "cargo() {{ shift 3; {:?} \"$@\"; }}\n",
        burgee().get_program()
    );
    for step in steps {
        let command = step.command.replace(ADDRESS, server.address());
        script.push_str(&format!("{command}\nprintf '{END}%s{END}' $?\n"));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.env_clear().env("HOME", home).current_dir(home);
    shell.env("PATH", format!("{}:{path}", tools().join("bin").display()));
    let output = run(shell.args(["-c", &format!("exec 2>&1\n{script}")])).ok();
    let parts: Vec<_> = output.split(END).map(str::to_owned).collect();
    parts
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// The commands in the blocks marked `console`: after `$`, continued after `>`.
fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                output: String::new(),
            });
        } else if let Some(continued) = line.strip_prefix("> ") {
            let step = steps.last_mut().expect("a command is continued");
            step.command.push('\n');
            step.command.push_str(continued);
        } else {
            let step = steps.last_mut().expect("a command prints something");
            step.output.push_str(line);
            step.output.push('\n');
        }
    }
    steps
}

/// Whether an output is as expected.
fn matches(expected: &str, output: &str) -> bool {
    let mut lines = output.lines();
    for expected in expected.lines() {
        if expected == "..." {
            return true;
        }
        if !lines
            .next()
            .is_some_and(|line| line_matches(expected, line))
        {
            return false;
        }
    }
    lines.next().is_none()
}

fn line_matches(expected: &str, line: &str) -> bool {
    let pieces: Vec<_> = expected.split("...").collect();
    let [first, middle @ .., last] = pieces.as_slice() else {
        return expected == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn three_dots_stand_for_anything() {
    let cases = [
        ("a\n", "a\n", true),
        ("a\n", "a\nb\n", false),
        ("a\n...\n", "a\nb\nc\n", true),
        ("a...c\n", "abc\n", true),
        ("a...c\n", "abd\n", false),
        ("...b...\n", "abc\n", true),
        ("a\n", "", false),
    ];
    for (expected, output, matching) in cases {
        assert_eq!(
            matches(expected, output),
            matching,
            "{expected:?} {output:?}"
        );
    }
}
