//! `cargo xtask test`: what the tests need, then the tests.

use anyhow::Result;

use crate::{fuzz, process, tools};

/// A part of the tests that can be run alone.
pub(crate) struct Suite {
    /// What stands on the command line.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) summary: &'static str,
    /// The arguments by which Cargo selects it; none where it is not Cargo's.
    packages: &'static [&'static str],
    /// Whether it drives the built `burgee` and the installed programs.
    drives_program: bool,
}

const ALL: Suite = Suite {
    name: "all",
    summary: "Everything (the default)",
    packages: &["--workspace"],
    drives_program: true,
};

/// Every suite.
pub(crate) const SUITES: &[Suite] = &[
    ALL,
    Suite {
        name: "unit",
        summary: "Tests inside the crates, without another program",
        packages: &[
            "--workspace",
            "--exclude=burgee-e2e",
            "--exclude=burgee-conformance",
        ],
        drives_program: false,
    },
    Suite {
        name: "e2e",
        summary: "kubectl, client libraries and several processes",
        packages: &["--package=burgee-e2e"],
        drives_program: true,
    },
    Suite {
        name: "conformance",
        summary: "Behaviour of a Kubernetes API server (BURGEE_TEST_KUBECONFIG chooses another)",
        packages: &["--package=burgee-conformance"],
        drives_program: true,
    },
    Suite {
        name: "fuzz",
        summary: "Every fuzz target for a few seconds, if the toolchain allows",
        packages: &[],
        drives_program: false,
    },
];

/// Runs one suite, or all.
///
/// # Errors
///
/// A preparation or a test failed.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let named = arguments
        .first()
        .and_then(|name| SUITES.iter().find(|suite| suite.name == name));
    let (suite, arguments) = match named {
        Some(suite) => (suite, arguments.get(1..).unwrap_or_default()),
        None => (&ALL, arguments),
    };
    // Before the tests, because their result lines are to be the last ones.
    if matches!(suite.name, "all" | "fuzz") {
        fuzz::smoke()?;
    }
    if suite.packages.is_empty() {
        return Ok(());
    }

    let mut test = process::cargo();
    test.arg("test")
        .args(suite.packages)
        .arg("--no-fail-fast")
        .args(arguments);
    if suite.drives_program {
        let tools = tools::install()?;
        // Tests and program in one build: were they built apart, Cargo would choose other features
        // and build the dependencies twice.
        let mut build = process::cargo();
        build
            .arg("build")
            .args(suite.packages)
            .args(["--package=burgee", "--bins", "--tests"]);
        process::run(&mut build)?;
        test.env("BURGEE_TEST_TOOLS", tools);
        test.env(
            "BURGEE_TEST_BINARY",
            process::target_directory()?.join("debug/burgee"),
        );
    }
    process::run(&mut test)
}
