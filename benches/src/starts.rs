//! From the start of the process to the first answer, and what it keeps in memory when idle.

use anyhow::Result;

use crate::Plan;
use crate::figure::{Figure, Goal, Report};
use crate::measure::median;
use crate::subject::Subject;

const START_GOAL: Goal = Goal::ValueAtMost(100.0);
const MEMORY_GOAL: Goal = Goal::ValueAtMost(25.0);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut subject = Subject::start().await?;
    subject.stop()?;
    let (mut starts, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..plan.choose(21, 5) {
        starts.push(subject.launch().await?.as_secs_f64() * 1e3);
        subject.stop()?;
        let (_, _, took) = subject.hello(0).await?;
        peers.push(took.as_secs_f64() * 1e3);
    }
    let ready = Figure::new("start.existing-data", median(starts), "ms");
    report.add(ready.peer(median(peers)).goal(START_GOAL))?;

    subject.launch().await?;
    let memory = subject.process()?.settled_memory().await?;
    let (hello, _, _) = subject.hello(0).await?;
    let peer = hello.settled_memory().await?;
    let resident = Figure::new("memory.idle.resident", memory.resident, "MiB");
    report.add(resident.peer(peer.resident).goal(MEMORY_GOAL))?;
    let anonymous = Figure::new("memory.idle.anonymous", memory.anonymous, "MiB");
    report.add(anonymous.peer(peer.anonymous))?;
    subject.stop()
}
