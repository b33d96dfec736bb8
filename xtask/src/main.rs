//! Developer commands, run as `cargo xtask COMMAND`.
//!
//! Each command is one entry of [`COMMANDS`] and one module. They need nothing but Rust, a C
//! compiler, Python and the package registries; what else tests use, [`tools`] installs below
//! Cargo's target directory.

mod bench;
mod fuzz;
mod process;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;

/// One developer command.
struct Command {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "bench",
        arguments: "[NAME-FILTER] [--quick]",
        summary: "Build for release and measure: one line of JSON per figure, then a table",
        run: bench::run,
    },
    Command {
        name: "test",
        arguments: "[SUITE] [ARGUMENT...]",
        summary: "Install what the tests need and run them: all, or one SUITE",
        run: test::run,
    },
    Command {
        name: "tools",
        arguments: "",
        summary: "Install the programs that the tests use, and print where",
        run: tools::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    if matches!(name, "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprint!("error: there is no command {name:?}\n\n{}", help());
        return ExitCode::from(2);
    };
    match (command.run)(arguments.get(1..).unwrap_or_default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A program that failed has said why itself, and its words stay the last ones.
            if !error.is::<process::Failed>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND\n\nCommands:\n");
    for command in COMMANDS {
        let synopsis = format!("{} {}", command.name, command.arguments);
        text.push_str(&format!("  {synopsis:<30}{}\n", command.summary));
    }
    text.push_str("\nSuites of `test`:\n");
    for suite in test::SUITES {
        text.push_str(&format!("  {:<30}{}\n", suite.name, suite.summary));
    }
    text.push_str(
        "\nArguments after the suite are given to `cargo test`, for example\n\
         \x20 cargo xtask test e2e kubectl::apply -- --nocapture\n",
    );
    text
}
