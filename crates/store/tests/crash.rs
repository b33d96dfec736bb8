//! A store whose process is killed at any moment keeps every answered write, and nothing by halves.
//!
//! The test runs its own binary again as the process to be killed. `BURGEE_LONG_TESTS=1` makes it
//! 200 kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is the verdict"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burgee_store::{
    EmbeddedOptions, EmbeddedStore, Error, KeyValue, RangeRequest, Revision, Store,
};
use bytes::Bytes;

const DIRECTORY: &str = "BURGEE_STORE_CRASH_DIRECTORY";
const ROUND: &str = "BURGEE_STORE_CRASH_ROUND";
const WRITERS: usize = 8;

#[test]
fn answered_writes_survive_a_kill_at_any_moment() {
    let rounds = match std::env::var("BURGEE_LONG_TESTS") {
        Ok(long) if long == "1" => 200,
        _ => 10,
    };
    let directory = tempfile::tempdir().unwrap();
    let mut answered = BTreeMap::new();
    for round in 0..rounds {
        let mut child = spawn(directory.path(), round);
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines();
        assert_eq!(lines.next().unwrap().unwrap(), "open");
        // A different moment each time, from the first writes on.
        let count = 1 + round * 37 % 300;
        for line in lines.by_ref().take(count) {
            note(&line.unwrap(), &mut answered);
        }
        let moment = Instant::now() + Duration::from_micros((round * 977 % 5000) as u64);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        // What was answered before the kill is in the pipe; its last line may be cut off.
        let rest: Vec<_> = lines.map_while(std::result::Result::ok).collect();
        for line in &rest {
            note(line, &mut answered);
        }
        child.wait().unwrap();
        check(directory.path(), &answered);
    }
    let newest = answered.values().map(|(revision, _)| revision.0).max();
    assert!(newest > Some(rounds as u64), "the writers wrote too little");
}

/// Only does something in the process that is to be killed.
#[test]
fn writer_process() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let round = std::env::var(ROUND).unwrap();
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(write_forever(Path::new(&directory), &round));
}

fn spawn(directory: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_process", "--nocapture", "--quiet"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map(skip_banner)
        .unwrap()
}

/// The test harness prints a few lines before the test runs.
fn skip_banner(mut child: Child) -> Child {
    let stdout = child.stdout.as_mut().unwrap();
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\nready\n") {
        stdout.read_exact(&mut byte).expect("the writer starts");
        seen.push(byte[0]);
    }
    child
}

async fn write_forever(directory: &Path, round: &str) {
    print_line("\nready");
    let options = EmbeddedOptions {
        // Small, so that compaction is under way when the process is killed.
        history_bytes: 64 * 1024,
        ..EmbeddedOptions::default()
    };
    let store = Arc::new(EmbeddedStore::open(directory, options).unwrap());
    print_line("open");
    let writers = (0..WRITERS).map(|writer| {
        let (store, round) = (Arc::clone(&store), round.to_owned());
        tokio::spawn(async move {
            for step in 0..u64::MAX {
                write(&store, writer, &round, step).await;
            }
        })
    });
    futures_util::future::join_all(writers).await;
}

/// One change to one of the writer's keys; prints what was answered as `key revision value`, with
/// the value `-` for a deletion.
async fn write(store: &EmbeddedStore, writer: usize, round: &str, step: u64) {
    let key = format!("/{writer}/{}", step % 17);
    let found = store.get(&key, None).await.unwrap().0;
    let text = format!("{round}.{step}.");
    let value = Bytes::from(text.repeat(1 + (step % 50) as usize));
    let (revision, shown) = match found {
        None => (store.create(&key, value).await, text),
        Some(kv) if step % 5 == 4 => (store.delete(&key, kv.mod_revision).await, "-".into()),
        Some(kv) => (store.put(&key, value, kv.mod_revision).await, text),
    };
    print_line(&format!("{key} {} {shown}", revision.unwrap()));
}

fn print_line(line: &str) {
    // One write, so that lines of several threads do not mix.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The last answer for each key.
type Answered = BTreeMap<String, (Revision, String)>;

fn note(line: &str, answered: &mut Answered) {
    let mut words = line.split(' ');
    if let (Some(key), Some(revision), Some(shown)) = (words.next(), words.next(), words.next()) {
        // A line that was cut off inside its last word is of no use.
        if shown == "-" || shown.ends_with('.') && shown.matches('.').count() == 2 {
            let revision = Revision(revision.parse().unwrap());
            let before = answered.insert(key.to_owned(), (revision, shown.to_owned()));
            assert!(
                before.is_none_or(|(old, _)| old < revision),
                "revisions went back"
            );
        }
    }
}

fn check(directory: &Path, answered: &Answered) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = EmbeddedOptions {
            verify_bytes: u64::MAX,
            ..EmbeddedOptions::default()
        };
        let store = EmbeddedStore::open(directory, options).unwrap();
        let page = store.range(RangeRequest::under("")).await.unwrap();
        let found: BTreeMap<_, _> = page.items.iter().map(|kv| (&*kv.key, kv)).collect();
        for (key, (revision, shown)) in answered {
            match found.get(&**key) {
                Some(kv) if kv.mod_revision == *revision => {
                    assert!(
                        kv.value.starts_with(shown.as_bytes()),
                        "{key} is not as answered"
                    );
                }
                // A later write was made durable, but its answer did not get out.
                Some(kv) => assert!(kv.mod_revision > *revision, "{key} lost {revision}"),
                None => check_deleted(&store, key, *revision, shown).await,
            }
        }
        for kv in &page.items {
            assert_whole(kv, page.revision);
        }
        check_history(&store, page.revision).await;
        store.close().await.unwrap();
    });
}

/// A key that is gone was deleted by what was answered, or by a later write.
async fn check_deleted(store: &EmbeddedStore, key: &str, revision: Revision, shown: &str) {
    if shown != "-" {
        let before = store.get(key, Some(revision)).await;
        match before {
            Ok((kv, _)) => assert_eq!(kv.unwrap().mod_revision, revision),
            Err(Error::Compacted { oldest }) => assert!(oldest > revision),
            Err(error) => panic!("{key} lost {revision}: {error}"),
        }
    }
}

fn assert_whole(kv: &KeyValue, revision: Revision) {
    assert!(kv.create_revision <= kv.mod_revision && kv.mod_revision <= revision);
    let text = std::str::from_utf8(&kv.value).unwrap();
    let (round, rest) = text.split_once('.').unwrap();
    let (step, _) = rest.split_once('.').unwrap();
    let step: usize = step.parse().unwrap();
    let expected = format!("{round}.{step}.").repeat(1 + step % 50);
    assert_eq!(text, expected, "half a value");
}

/// The history holds every revision of the compaction window once.
async fn check_history(store: &EmbeddedStore, revision: Revision) {
    let oldest = match store.watch("", Revision(1)).await {
        Ok(_) => Revision(1),
        Err(Error::Compacted { oldest }) => oldest,
        Err(error) => panic!("{error}"),
    };
    let mut watch = store.watch("", oldest).await.unwrap();
    let mut expected = oldest.0.max(2);
    while expected <= revision.0 {
        let item = watch.next().await.unwrap().unwrap();
        if let burgee_store::WatchItem::Events(events) = item {
            for event in events {
                assert_eq!(event.revision(), Revision(expected));
                expected += 1;
            }
        }
    }
}
