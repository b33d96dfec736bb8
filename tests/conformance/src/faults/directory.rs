//! Data directories that cannot be used, and those that fill up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burgee_testkit::{Output, Server, burgee, eventually, run};
use serde_json::{Value, json};

use crate::support::Expect as _;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Starts a server that is not to start.
fn serve(directory: &Path) -> Output {
    run(burgee()
        .arg("serve")
        .arg("--data-dir")
        .arg(directory)
        .args(["--bind", "127.0.0.1:0"]))
}

fn config_map(name: &str, length: usize) -> Value {
    json!({"metadata": {"name": name}, "data": {"k": "x".repeat(length)}})
}

/// A server that stopped, with an object in its store.
fn stopped() -> Server {
    let mut server = Server::start();
    server
        .client()
        .post(CONFIG_MAPS, &config_map("kept", 1))
        .expect(201);
    assert!(server.stop().success());
    server
}

fn store(server: &Server) -> PathBuf {
    server.data_directory().join("store/store.redb")
}

/// A file system of its own in memory; `None` where the tests may not mount.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: needs the right to mount a tmpfs (run as root)");
        }
        mounted.then_some(Self(directory))
    }

    fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        run(command
            .args(["-o", &format!("remount,{options}")])
            .arg(self.0.path()))
        .ok();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .output();
    }
}

#[test]
fn a_second_server_on_one_directory_is_told_who_has_it() {
    let server = Server::start();
    let message = serve(&server.data_directory()).fails(1);
    assert!(
        message.contains("is in use by another process (pid "),
        "{message}"
    );
    server.client().get("/api").expect(200);
}

#[test]
fn a_store_that_is_none_is_named_and_left_alone() {
    let mut server = stopped();
    let good = fs::read(store(&server)).unwrap();
    for damage in [
        |bytes: &mut Vec<u8>| bytes[..64].fill(0xa5),
        |bytes: &mut Vec<u8>| bytes.truncate(4096),
        |bytes: &mut Vec<u8>| *bytes = b"no database at all, but somebody's text\n".repeat(100),
    ] {
        let mut bytes = good.clone();
        damage(&mut bytes);
        fs::write(store(&server), &bytes).unwrap();
        let message = serve(&server.data_directory()).fails(1);
        assert!(message.contains("store.redb"), "{message}");
        assert!(
            fs::read(store(&server)).unwrap() == bytes,
            "the file was changed: {message}"
        );
    }
    // Whoever has a copy puts it back.
    fs::write(store(&server), &good).unwrap();
    server.launch();
    server
        .client()
        .get(&format!("{CONFIG_MAPS}/kept"))
        .expect(200);
}

#[test]
fn a_key_that_is_broken_is_named_and_left_alone() {
    let mut server = stopped();
    let keys = server.data_directory().join("pki");
    let is_key = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "key");
    let files = fs::read_dir(keys).unwrap().map(|file| file.unwrap().path());
    for key in files.filter(is_key) {
        let good = fs::read(&key).unwrap();
        fs::write(&key, "no key").unwrap();
        let message = serve(&server.data_directory()).fails(1);
        let name = key.file_name().unwrap().to_str().unwrap();
        assert!(
            message.contains(name) && !message.contains("no key\n"),
            "{message}"
        );
        assert_eq!(fs::read(&key).unwrap(), b"no key");
        fs::write(&key, good).unwrap();
    }
    server.launch();
}

#[test]
fn a_read_only_directory_is_named() {
    let Some(mount) = Mount::new("size=32m,mode=0700") else {
        return;
    };
    let mut server = Server::options().within(mount.0.path()).start();
    assert!(server.stop().success());
    mount.remount("ro");
    let message = serve(&server.data_directory()).fails(1);
    assert!(message.contains("Read-only file system"), "{message}");
    mount.remount("rw");
    server.launch();
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(mount) = Mount::new("size=16m,mode=0700") else {
        return;
    };
    let mut server = Server::options().within(mount.0.path()).start();
    let client = server.client();
    let mut names = Vec::new();
    let refused = loop {
        let name = format!("c{}", names.len());
        let answer = client.post(CONFIG_MAPS, &config_map(&name, 500_000));
        if answer.status != 201 {
            break answer;
        }
        names.push(name);
        assert!(names.len() < 100, "the disk does not fill up");
    };
    assert!(refused.status >= 500, "{}", refused.text());
    assert_eq!(refused.json()["kind"], "Status", "{}", refused.text());
    assert!(!names.is_empty());
    let all_there = |server: &Server| {
        for name in &names {
            server
                .client()
                .get(&format!("{CONFIG_MAPS}/{name}"))
                .expect(200);
        }
        let refused = format!("{CONFIG_MAPS}/c{}", names.len());
        server.client().get(&refused).refused(404, "NotFound");
    };
    all_there(&server);
    server.kill();
    mount.remount("size=64m");
    server.launch();
    all_there(&server);
    eventually("room for writes", || {
        let answer = server.client().post(CONFIG_MAPS, &config_map("after", 1));
        (answer.status == 201).then_some(())
    });
}
