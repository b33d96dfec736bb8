//! Killing the server (signal 9) while it is written to and watched.
//!
//! Writers note what they are about to do, do it, and note that it was acknowledged. After each kill
//! the server starts again, and every key has to be as it was acknowledged, or as the one write left
//! it that was under way. Watchers go on from the last version that they saw, through all kills.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use burgee_testkit::{Client, Server, eventually};
use serde_json::{Value, json};

use crate::support::{Expect as _, Watch, long, version};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WRITERS: usize = 4;
const KEYS: u64 = 6;

/// The objects that tests write, as `data.one` by name.
type Contents = BTreeMap<String, u64>;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_else_half_done() {
    let kills = if long() { 200 } else { 10 };
    let mut random = Random::new();
    println!("seed {}", random.0);
    let mut server = Server::start();
    let begin = version(&server.client().get(CONFIG_MAPS).expect(200));
    let watchers: Vec<_> = (0..2)
        .map(|_| {
            let (client, begin) = (server.client(), begin.clone());
            thread::spawn(move || follow(&client, begin))
        })
        .collect();

    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer::new(number, random.next()))
        .collect();
    let mut newest = 0;
    for _ in 0..kills {
        let client = server.client();
        let after = Duration::from_millis(30 + random.next() % 300);
        thread::scope(|scope| {
            for writer in &mut writers {
                let client = &client;
                scope.spawn(move || writer.write_until_it_fails(client));
            }
            // Not waiting for anything: the moment is to be any.
            thread::sleep(after);
            server.kill();
        });
        server.launch();
        let list = server.client().get(CONFIG_MAPS).expect(200);
        let there = contents(&list);
        let acknowledged = writers
            .iter()
            .map(|writer| writer.newest)
            .max()
            .unwrap_or_default();
        let now = number(&version(&list));
        assert!(
            now >= acknowledged && now >= newest,
            "{now} after {acknowledged} and {newest}"
        );
        newest = now;
        for writer in &mut writers {
            writer.compare(&there);
        }
    }

    let end = json!({"metadata": {"name": "end"}, "data": {"one": "0", "two": "0"}});
    server.client().post(CONFIG_MAPS, &end).expect(201);
    let there = contents(&server.client().get(CONFIG_MAPS).expect(200));
    let writes: u64 = writers.iter().map(|writer| writer.writes).sum();
    assert!(writes > kills, "{writes} writes for {kills} kills");
    for watcher in watchers {
        eventually("a watcher's end", || watcher.is_finished().then_some(()));
        assert_eq!(watcher.join().unwrap(), there);
    }
    println!("{kills} kills, {writes} acknowledged writes");
}

/// One client that writes objects of its own, one request at a time.
struct Writer {
    number: usize,
    random: Random,
    acknowledged: Contents,
    /// What a write leads to of which nothing was heard: a key, and its value or none.
    under_way: Option<(String, Option<u64>)>,
    /// The newest version that was acknowledged.
    newest: u64,
    writes: u64,
}

impl Writer {
    fn new(number: usize, seed: u64) -> Self {
        Self {
            number,
            random: Random(seed | 1),
            acknowledged: Contents::new(),
            under_way: None,
            newest: 0,
            writes: 0,
        }
    }

    fn write_until_it_fails(&mut self, client: &Client) {
        let begin = Instant::now();
        while begin.elapsed() < burgee_testkit::DEADLINE {
            let name = format!("w{}-{}", self.number, self.random.next() % KEYS);
            let value = self.random.next() % 1_000_000;
            let is_there = self.acknowledged.contains_key(&name);
            let delete = is_there && self.random.next().is_multiple_of(4);
            self.under_way = Some((name.clone(), (!delete).then_some(value)));
            // Two members that always say the same: half an object would show.
            let filler = "x".repeat(usize::try_from(value % 3000).unwrap());
            let data =
                json!({"one": value.to_string(), "filler": filler, "two": value.to_string()});
            let object = json!({"metadata": {"name": name}, "data": data}).to_string();
            let (method, path, body) = match (is_there, delete) {
                (false, _) => ("POST", CONFIG_MAPS.to_owned(), object),
                (true, false) => ("PUT", format!("{CONFIG_MAPS}/{name}"), object),
                (true, true) => ("DELETE", format!("{CONFIG_MAPS}/{name}"), String::new()),
            };
            let headers = [("Content-Type", "application/json")];
            let Ok(answer) = client.try_send(method, &path, &headers, body.as_bytes()) else {
                return;
            };
            assert!(answer.status < 300, "{method} {path}: {}", answer.text());
            self.under_way = None;
            self.writes += 1;
            if delete {
                self.acknowledged.remove(&name);
            } else {
                let version = number(&version(&answer.json()));
                assert!(version > self.newest, "{version} after {}", self.newest);
                self.newest = version;
                self.acknowledged.insert(name, value);
            }
        }
        panic!("the server was never killed");
    }

    /// Holds what is there against what was acknowledged.
    fn compare(&mut self, there: &Contents) {
        let prefix = format!("w{}-", self.number);
        let own = there.iter().filter(|(name, _)| name.starts_with(&prefix));
        let own: Contents = own.map(|(name, value)| (name.clone(), *value)).collect();
        let mut done = self.acknowledged.clone();
        match self.under_way.take() {
            Some((name, Some(value))) => {
                done.insert(name, value);
            }
            Some((name, None)) => {
                done.remove(&name);
            }
            None => {}
        }
        assert!(
            own == self.acknowledged || own == done,
            "there: {own:?}\nacknowledged: {:?}\nor: {done:?}",
            self.acknowledged
        );
        self.acknowledged = own;
    }
}

/// Watches from a version on, reconnecting where it was, until the object `end` comes; answers with
/// what is there by its account.
fn follow(client: &Client, mut seen: String) -> Contents {
    let mut there = Contents::new();
    loop {
        let path = format!("{CONFIG_MAPS}?watch=true&resourceVersion={seen}");
        let mut watch = eventually("the server", || {
            Watch::try_open(client, &path, "application/json").ok()
        });
        while let Ok(Some(event)) = watch.try_next() {
            let object = &event["object"];
            assert_ne!(event["type"], "ERROR", "{event}");
            let version = version(object);
            assert!(
                number(&version) > number(&seen),
                "{version} after {seen}: {event}"
            );
            seen = version;
            let Some((name, value)) = content(object) else {
                continue;
            };
            // Each change fits what is there only if none was lost and none came twice.
            let before = match event["type"].as_str().unwrap() {
                "ADDED" | "MODIFIED" => there.insert(name.clone(), value),
                _ => there.remove(&name),
            };
            assert_eq!(event["type"] == "ADDED", before.is_none(), "{event}");
            if name == "end" {
                return there;
            }
        }
    }
}

fn contents(list: &Value) -> Contents {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(content)
        .collect()
}

/// The name and value of an object that a test wrote.
fn content(object: &Value) -> Option<(String, u64)> {
    let data = &object["data"];
    let value = data["one"].as_str()?;
    assert_eq!(data["one"], data["two"], "half an object: {object}");
    Some((
        object["metadata"]["name"].as_str()?.to_owned(),
        number(value),
    ))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

/// A xorshift generator; its seed is printed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(RandomState::new().hash_one(COUNT.fetch_add(1, Ordering::Relaxed)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
