//! Load: connections that send one request after the other, as fast as answers come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::{Request, StatusCode};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Body, Client, exchange};
use crate::measure::percentile;
use crate::process::Process;

/// How long connections are used before anything is measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// What one round of load showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Answers per second.
    pub(crate) throughput: f64,
    /// Half of the answers took no longer, in microseconds.
    pub(crate) p50: f64,
    /// 99 of 100 answers took no longer, in microseconds.
    pub(crate) p99: f64,
    /// Processor time of the server per answer, in microseconds.
    pub(crate) cpu: f64,
}

/// Puts load on a server for a while.
///
/// Every connection is new, does its handshake and warms up before the measurement begins. `request`
/// makes the requests, all of which must be answered with the status `expected`.
pub(crate) async fn round<F>(
    server: &Process,
    client: &Client,
    (connections, time): (usize, Duration),
    expected: StatusCode,
    request: F,
) -> Result<Round>
where
    F: Fn(&Client) -> Request<Body> + Clone + Send + 'static,
{
    let mut senders = Vec::with_capacity(connections);
    for _ in 0..connections {
        senders.push(client.http1().await?);
    }
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    for mut sender in senders {
        let (client, request) = (client.clone(), request.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let sent = Instant::now();
                if sent >= end {
                    return Ok::<_, anyhow::Error>(latencies);
                }
                let (status, body) = exchange(&mut sender, request(&client)).await?;
                let answered = Instant::now();
                if status != expected {
                    let said = String::from_utf8_lossy(&body);
                    bail!("a request was answered with {status}: {said}");
                }
                if sent >= begin && answered < end {
                    latencies.push(answered - sent);
                }
            }
        });
    }
    tokio::time::sleep_until(begin).await;
    let (begun, cpu_before) = (Instant::now(), server.cpu()?);
    tokio::time::sleep_until(end).await;
    let (took, cpu) = (begun.elapsed(), server.cpu()? - cpu_before);
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.context("a connection's task")??);
    }
    latencies.sort_unstable();
    if latencies.is_empty() {
        bail!("nothing was answered");
    }
    let microseconds = |share| percentile(&latencies, share).as_secs_f64() * 1e6;
    let answers = latencies.len() as f64;
    Ok(Round {
        throughput: answers / took.as_secs_f64(),
        p50: microseconds(0.5),
        p99: microseconds(0.99),
        cpu: cpu.as_secs_f64() * 1e6 / answers,
    })
}

/// Sends `count` requests over so many connections; `request` makes each from its number.
pub(crate) async fn send_all<F>(
    client: &Client,
    (connections, count): (usize, usize),
    expected: StatusCode,
    request: F,
) -> Result<()>
where
    F: Fn(&Client, usize) -> Request<Body> + Clone + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (client, request, next) = (client.clone(), request.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut sender = client.http1().await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, anyhow::Error>(());
                }
                let (status, body) = exchange(&mut sender, request(&client, number)).await?;
                if status != expected {
                    let said = String::from_utf8_lossy(&body);
                    bail!("a request was answered with {status}: {said}");
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a connection's task")??;
    }
    Ok(())
}
