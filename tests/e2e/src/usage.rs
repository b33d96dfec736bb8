//! Wrong usage: each mistake ends with its exit code and says what to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use burgee_testkit::{Output, Server, burgee, run};
use tempfile::TempDir;

/// `burgee serve` with these arguments and a data directory of its own.
fn serve(arguments: &[&str]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = burgee();
    command
        .args(["serve", "--bind=127.0.0.1:0", "--data-dir"])
        .arg(data.path().join("data"));
    run(command.args(arguments))
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    let error = serve(&["--dta-dir=/tmp"]).fails(2);
    assert!(
        error.starts_with("error: unexpected argument '--dta-dir' found\n"),
        "{error}"
    );
    assert!(
        error.contains("--data-dir"),
        "a similar flag is named: {error}"
    );
}

#[test]
fn a_wrong_command_is_a_usage_error() {
    let error = run(burgee().arg("sreve")).fails(2);
    assert!(
        error.starts_with("error: unrecognized subcommand 'sreve'\n"),
        "{error}"
    );
    let help = run(&mut burgee()).fails(2);
    assert!(help.contains("Usage: burgee"), "{help}");
}

#[test]
fn a_wrong_value_is_a_usage_error() {
    let error = serve(&["--request-timeout=soon"]).fails(2);
    assert!(
        error.contains("invalid value 'soon' for '--request-timeout <DURATION>'"),
        "{error}"
    );
    let error = serve(&["--bind=localhost"]).fails(2);
    assert!(
        error.contains("invalid value 'localhost' for '--bind <ADDRESS:PORT>'"),
        "{error}"
    );
}

#[test]
fn a_configuration_file_that_is_missing_or_wrong_is_named() {
    let error = serve(&["--config=/nowhere/burgee.yaml"]).fails(2);
    let missing = "error: cannot read configuration file /nowhere/burgee.yaml: No such file";
    assert!(error.starts_with(missing), "{error}");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("burgee.yaml");
    fs::write(&file, "bnid: []\n").unwrap();
    let error = serve(&[&format!("--config={}", file.display())]).fails(2);
    assert!(error.contains("unknown field `bnid`"), "{error}");
}

#[test]
fn a_file_that_a_flag_names_has_to_be_there() {
    for flag in [
        "--client-ca-file",
        "--token-auth-file",
        "--service-account-key-file",
    ] {
        let error = serve(&[&format!("{flag}=/nowhere/file")]).fails(1);
        let last = error.lines().last().unwrap_or_default();
        let name = flag.trim_start_matches('-');
        assert_eq!(
            last,
            format!(
                "error: cannot read {name} /nowhere/file: No such file or directory (os error 2)"
            )
        );
    }
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    // A file in its place stops even root, whom permissions do not.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data");
    fs::write(&file, "").unwrap();
    let mut command = burgee();
    command
        .args(["serve", "--bind=127.0.0.1:0", "--data-dir"])
        .arg(&file);
    let error = run(&mut command).fails(1);
    assert!(error.starts_with("error: "), "{error}");
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    // Nobody, not even root, makes directories there.
    let mut command = burgee();
    command.args(["serve", "--bind=127.0.0.1:0", "--data-dir=/proc/burgee"]);
    let error = run(&mut command).fails(1);
    let expected =
        "error: cannot create the data directory /proc/burgee: No such file or directory";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_private_key_that_others_can_read_is_refused_with_the_remedy() {
    let mut server = Server::start();
    server.stop();
    let key = server.data_directory().join("pki/ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = burgee();
    command
        .args(["serve", "--bind=127.0.0.1:0", "--data-dir"])
        .arg(server.data_directory());
    let error = run(&mut command).fails(1);
    let expected = format!(
        "error: private key {key} is open to others (mode 0644)\nhint: run: chmod 600 {key}\n",
        key = key.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_second_server_on_the_same_data_directory_is_refused() {
    let server = Server::start();
    let mut command = burgee();
    command
        .args(["serve", "--bind=127.0.0.1:0", "--data-dir"])
        .arg(server.data_directory());
    let error = run(&mut command).fails(1);
    assert!(error.contains("in use by another process"), "{error}");
    assert!(
        error.contains(server.data_directory().to_str().unwrap()),
        "{error}"
    );
    // The first one's way in is unharmed.
    server.kubectl().run("get ns").ok();
}

#[test]
fn an_address_in_use_is_named() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let data = TempDir::new().unwrap();
    let mut command = burgee();
    command
        .arg("serve")
        .arg(format!("--bind={address}"))
        .arg("--data-dir")
        .arg(data.path());
    let error = run(&mut command).fails(1);
    let expected = format!("error: cannot listen on {address}: Address already in use");
    assert!(error.starts_with(&expected), "{error}");
}
