//! GET of one ConfigMap, next to a bare server that answers with as many bytes.

use anyhow::Result;
use bytes::Bytes;
use http::{Method, StatusCode};

use crate::Plan;
use crate::figure::{Figure, Goal, Report};
use crate::load::{Round, round};
use crate::measure::median;
use crate::subject::{Subject, config_map};

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";
const PATH: &str = "/api/v1/namespaces/default/configmaps/bench";

/// The share of the bare server's throughput.
const THROUGHPUT_GOAL: Goal = Goal::RatioAtLeast(0.60);
/// A tenth of what kube-apiserver 1.25 spends: 900 us where every request has to wake sleeping
/// threads, 400 us at best.
fn cpu_goal(connections: usize) -> Goal {
    Goal::ValueAtMost(if connections == 1 { 90.0 } else { 40.0 })
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut subject = Subject::start().await?;
    subject.create(COLLECTION, &config_map("bench")).await?;
    let certificate = subject.with_certificate()?;
    let token = subject.with_token()?;
    let empty = Bytes::new;
    let body = token
        .once(Method::GET, PATH, empty(), StatusCode::OK)
        .await?;
    let (hello, peer, _) = subject.hello(body.len()).await?;
    let get = |client: &crate::client::Client| client.request(Method::GET, PATH, Bytes::new());

    for connections in [1, 16, 64] {
        let load = (connections, plan.round_time());
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds() {
            // One after the other, so that a change of the machine's mood meets all three.
            let server = subject.process()?;
            rounds.push([
                round(server, &token, load, StatusCode::OK, get).await?,
                round(&hello, &peer, load, StatusCode::OK, get).await?,
                round(server, &certificate, load, StatusCode::OK, get).await?,
            ]);
        }
        let token: Vec<_> = rounds.iter().map(|[own, peer, _]| (*own, *peer)).collect();
        let certificate: Vec<_> = rounds.iter().map(|[_, peer, own]| (*own, *peer)).collect();
        figures(report, ("token", connections), &token)?;
        figures(report, ("certificate", connections), &certificate)?;
    }
    subject.stop()
}

fn figures(
    report: &mut Report,
    (credential, connections): (&str, usize),
    rounds: &[(Round, Round)],
) -> Result<()> {
    let figure = |what: &str, unit, value: fn(&Round) -> f64| {
        let own = median(rounds.iter().map(|(own, _)| value(own)));
        let peer = median(rounds.iter().map(|(_, peer)| value(peer)));
        let ratio = median(rounds.iter().map(|(own, peer)| value(own) / value(peer)));
        let name = format!("get.{credential}.{connections}.{what}");
        Figure::new(name, own, unit).peer_paired(peer, ratio)
    };
    let throughput = figure("throughput", "requests/s", |round| round.throughput);
    report.add(throughput.goal(THROUGHPUT_GOAL))?;
    report.add(figure("p50", "us", |round| round.p50))?;
    report.add(figure("p99", "us", |round| round.p99))?;
    let cpu = figure("server-cpu", "us/request", |round| round.cpu);
    report.add(cpu.goal(cpu_goal(connections)))
}
