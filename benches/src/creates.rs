//! Durable creates, through the API and in the store alone, next to what the disk can do.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use burgee_store::{EmbeddedOptions, EmbeddedStore, Store};
use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::Plan;
use crate::client::Client;
use crate::figure::{Figure, Report};
use crate::load::{Round, round};
use crate::measure::median;
use crate::subject::{Subject, config_map, scratch};

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";
const WRITERS: [usize; 2] = [1, 64];
/// What one write of the disk's own rate has: a page.
const PAGE: usize = 4096;
/// The part of a file that the disk's own rate is measured in. It is allocated beforehand.
const FILE_PAGES: u64 = 256;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut subject = Subject::start().await?;
    let client = subject.with_token()?;
    let directory = scratch()?;
    let store = EmbeddedStore::open(directory.path().join("store"), EmbeddedOptions::default())?;
    let store: Arc<dyn Store> = Arc::new(store);
    let numbers = Arc::new(AtomicU64::new(0));

    for writers in WRITERS {
        let mut rounds: Vec<(f64, Round, f64)> = Vec::new();
        for _ in 0..plan.rounds() {
            let disk = disk(directory.path(), plan.round_time())?;
            let over_https = over_https(&subject, &client, writers, plan.round_time(), &numbers);
            let over_https = over_https.await?;
            let alone = in_store(&store, writers, plan.round_time(), &numbers).await?;
            rounds.push((disk, over_https, alone));
        }
        let disk = median(rounds.iter().map(|(disk, ..)| *disk));
        let rate = |what: &str, value: fn(&(f64, Round, f64)) -> f64| {
            let ratio = median(rounds.iter().map(|round| value(round) / round.0));
            let name = format!("create.{what}.{writers}.throughput");
            Figure::new(name, median(rounds.iter().map(value)), "creates/s")
                .floor_paired(disk, ratio)
        };
        report.add(rate("https", |(_, https, _)| https.throughput))?;
        let name = |what: &str| format!("create.https.{writers}.{what}");
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(|(_, https, _)| value(https)));
        report.add(Figure::new(name("p50"), of(|round| round.p50), "us"))?;
        report.add(Figure::new(name("p99"), of(|round| round.p99), "us"))?;
        report.add(Figure::new(
            name("server-cpu"),
            of(|round| round.cpu),
            "us/request",
        ))?;
        report.add(rate("store", |(.., alone)| *alone))?;
    }
    subject.stop()
}

async fn over_https(
    subject: &Subject,
    client: &Client,
    writers: usize,
    time: Duration,
    numbers: &Arc<AtomicU64>,
) -> Result<Round> {
    let numbers = Arc::clone(numbers);
    let create = move |client: &Client| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let object = config_map(&format!("bench-{number}"));
        client.request(Method::POST, COLLECTION, object.to_string().into())
    };
    let load = (writers, time);
    round(
        subject.process()?,
        client,
        load,
        StatusCode::CREATED,
        create,
    )
    .await
}

/// Creates per second of the store alone, with values of the same size.
async fn in_store(
    store: &Arc<dyn Store>,
    writers: usize,
    time: Duration,
    numbers: &Arc<AtomicU64>,
) -> Result<f64> {
    let value = Bytes::from(config_map("bench").to_string());
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (store, numbers, value) = (Arc::clone(store), Arc::clone(numbers), value.clone());
        tasks.spawn(async move {
            let mut created = 0_u32;
            while begin.elapsed() < time {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let key = format!("/registry/configmaps/default/bench-{number}");
                store.create(&key, value.clone()).await?;
                created += 1;
            }
            Ok::<_, burgee_store::Error>(created)
        });
    }
    let mut created = 0.0;
    while let Some(done) = tasks.join_next().await {
        created += f64::from(done.context("a writer's task")??);
    }
    Ok(created / begin.elapsed().as_secs_f64())
}

/// How often per second the disk makes one page durable, one after the other.
fn disk(directory: &Path, time: Duration) -> Result<f64> {
    let path = directory.join("pages");
    let file = File::create(&path)?;
    let page = [0x5a; PAGE];
    for number in 0..FILE_PAGES {
        file.write_all_at(&page, number * PAGE as u64)?;
    }
    file.sync_all()?;
    let begin = Instant::now();
    let mut written = 0_u64;
    while begin.elapsed() < time {
        file.write_all_at(&page, written % FILE_PAGES * PAGE as u64)?;
        file.sync_data()?;
        written += 1;
    }
    let rate = written as f64 / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}
