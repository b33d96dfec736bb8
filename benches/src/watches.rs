//! Many watchers, each of which sees every event.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Plan;
use crate::client::Client;
use crate::figure::{Figure, Report};
use crate::load::send_all;
use crate::subject::{Subject, config_map};

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";
/// How many watches share a connection; the server takes up to 250 requests at once.
const PER_CONNECTION: usize = 200;
/// How many connections the changes are written over.
const WRITERS: usize = 16;
/// By when every watcher has seen everything, or something is wrong.
const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let (watchers, changes) = plan.choose((1_000, 1_000), (100, 200));
    let name = |what: &str| format!("watch.{watchers}x{changes}.{what}");
    let mut subject = Subject::start().await?;
    let client = subject.with_token()?;
    let server = subject.process()?;

    let list = client
        .once(Method::GET, COLLECTION, Bytes::new(), StatusCode::OK)
        .await?;
    let list: Value = serde_json::from_slice(&list)?;
    let revision = list.pointer("/metadata/resourceVersion");
    let revision = revision
        .and_then(Value::as_str)
        .context("the list has no revision")?;
    let path = format!("{COLLECTION}?watch=1&resourceVersion={revision}");
    let streams = open(&client, &path, watchers).await?;
    let idle = server.settled_memory().await?;
    report.add(Figure::new(name("memory.idle"), idle.resident, "MiB"))?;

    let (begin, cpu) = (Instant::now(), server.cpu()?);
    let mut tasks = JoinSet::new();
    for stream in streams {
        tasks.spawn(receive(stream, changes));
    }
    let create = |client: &Client, number| {
        let object = config_map(&format!("bench-{number}"));
        client.request(Method::POST, COLLECTION, object.to_string().into())
    };
    send_all(&client, (WRITERS, changes), StatusCode::CREATED, create).await?;
    let written = begin.elapsed().as_secs_f64();
    let everyone = async {
        let mut bytes = 0;
        while let Some(done) = tasks.join_next().await {
            bytes += done.context("a watcher's task")??;
        }
        Ok::<_, anyhow::Error>(bytes)
    };
    let bytes = tokio::time::timeout(DEADLINE, everyone).await;
    let bytes = bytes.context("a watcher did not see everything")??;
    let took = begin.elapsed().as_secs_f64();
    let cpu = (server.cpu()? - cpu).as_secs_f64();
    let events = (watchers * changes) as f64;

    report.add(Figure::new(name("time"), took, "s").floor(written))?;
    report.add(Figure::new(name("throughput"), events / took, "events/s"))?;
    report.add(Figure::new(
        name("bytes"),
        bytes as f64 / took / 1e6,
        "MB/s",
    ))?;
    report.add(Figure::new(
        name("server-cpu"),
        cpu * 1e6 / events,
        "us/event",
    ))?;
    let peak = server.memory()?.peak;
    report.add(Figure::new(name("memory.peak"), peak, "MiB"))?;
    subject.stop()
}

/// Opens watches over HTTP/2 and waits until the server has answered each.
async fn open(client: &Client, path: &str, watchers: usize) -> Result<Vec<Incoming>> {
    let url = client.url(path);
    let mut streams = Vec::with_capacity(watchers);
    while streams.len() < watchers {
        let mut connection = client.http2().await?;
        let count = PER_CONNECTION.min(watchers - streams.len());
        for _ in 0..count {
            connection.ready().await?;
            let mut request = client.request(Method::GET, &url, Bytes::new());
            // HTTP/2 has the host in the URL.
            request.headers_mut().remove(http::header::HOST);
            let response = connection.send_request(request).await?;
            if response.status() != StatusCode::OK {
                bail!("a watch was answered with {}", response.status());
            }
            streams.push(response.into_body());
        }
    }
    Ok(streams)
}

/// Reads so many events and answers how many bytes they had. Each ends with a line feed.
async fn receive(mut stream: Incoming, events: usize) -> Result<usize> {
    let (mut seen, mut bytes) = (0, 0);
    while seen < events {
        let frame = stream.frame().await.context("a watch ended early")??;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        bytes += data.len();
        seen += data.iter().filter(|byte| **byte == b'\n').count();
    }
    Ok(bytes)
}
