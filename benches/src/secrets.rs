//! Many Secrets: listing them, what they take in memory, and starting with them.

use anyhow::Result;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;

use crate::Plan;
use crate::client::Client;
use crate::figure::{Figure, Report};
use crate::load::{Round, round, send_all};
use crate::measure::median;
use crate::subject::Subject;

const NAMESPACES: usize = 100;
const PATH: &str = "/api/v1/secrets";

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let count = plan.choose(10_000, 1_000);
    let name = |what: &str| format!("secrets.{count}.{what}");
    let mut subject = Subject::start().await?;
    fill(&subject.with_token()?, count).await?;

    // What is left of the writes must not count as the price of having Secrets.
    subject.stop()?;
    let mut starts = Vec::new();
    for _ in 0..plan.choose(9, 3) {
        starts.push(subject.launch().await?.as_secs_f64() * 1e3);
        subject.stop()?;
    }
    subject.launch().await?;
    report.add(Figure::new(name("start-to-ready"), median(starts), "ms"))?;
    let client = subject.with_token()?;
    let memory = subject.process()?.settled_memory().await?;
    let body = client
        .once(Method::GET, PATH, Bytes::new(), StatusCode::OK)
        .await?;
    let bytes = body.len() as f64 / (1 << 20) as f64;
    let resident = Figure::new(name("memory.resident"), memory.resident, "MiB");
    report.add(resident.floor(bytes))?;
    let anonymous = Figure::new(name("memory.anonymous"), memory.anonymous, "MiB");
    report.add(anonymous.floor(bytes))?;

    let (hello, peer, _) = subject.hello(body.len()).await?;
    drop(body);
    let list = |client: &Client| client.request(Method::GET, PATH, Bytes::new());
    let load = (1, plan.round_time());
    let mut rounds: Vec<[Round; 2]> = Vec::new();
    for _ in 0..plan.rounds() {
        let server = subject.process()?;
        rounds.push([
            round(server, &client, load, StatusCode::OK, list).await?,
            round(&hello, &peer, load, StatusCode::OK, list).await?,
        ]);
    }
    let figure = |what: &str, unit, value: fn(&Round) -> f64| {
        let own = median(rounds.iter().map(|[own, _]| value(own)));
        let peer = median(rounds.iter().map(|[_, peer]| value(peer)));
        let ratio = median(rounds.iter().map(|[own, peer]| value(own) / value(peer)));
        Figure::new(name(what), own, unit).peer_paired(peer, ratio)
    };
    report.add(figure("list.p50", "ms", |round| round.p50 / 1e3))?;
    report.add(figure("list.server-cpu", "ms/request", |round| {
        round.cpu / 1e3
    }))?;
    let after = subject.process()?.settled_memory().await?;
    report.add(Figure::new(
        name("memory.after-lists"),
        after.resident,
        "MiB",
    ))?;
    report.add(Figure::new(name("memory.peak"), after.peak, "MiB"))?;
    subject.stop()
}

/// Creates Secrets with a value of 256 bytes each, over many namespaces.
async fn fill(client: &Client, count: usize) -> Result<()> {
    let created = StatusCode::CREATED;
    let namespace = |client: &Client, number| {
        let object = json!({"metadata": {"name": format!("team-{number}")}});
        let body = object.to_string().into();
        client.request(Method::POST, "/api/v1/namespaces", body)
    };
    send_all(client, (8, NAMESPACES), created, namespace).await?;
    let secret = |client: &Client, number: usize| {
        let path = format!("/api/v1/namespaces/team-{}/secrets", number % NAMESPACES);
        let object = json!({
            "metadata": {"name": format!("secret-{number}"), "labels": {"app": "bench"}},
            "stringData": {"password": format!("{number:0>256}")},
        });
        client.request(Method::POST, &path, object.to_string().into())
    };
    send_all(client, (32, count), created, secret).await
}
