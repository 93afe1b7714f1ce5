//! How soon an idle worker is at full speed once a backlog appears, and how soon it is quiet again.

use std::fmt;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use longshore::queue::sqs::SqsQueue;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::rows::AWAY;
use crate::subject::Subject;

/// Between the worker's start and the backlog.
const SETTLING: Duration = Duration::from_secs(5);

/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(250);

/// Full speed is this part of the median of the looks while the middle half of the backlog was
/// drained.
const FULL: f64 = 0.9;

/// For the whole backlog.
const LATE: Duration = Duration::from_mins(5);

/// After the last message the worker has so long to become quiet; then it is looked at for as long.
const QUIET: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct Ramp {
    /// Seconds since the backlog appeared, and how many messages were deleted until then.
    drained: Vec<(f64, f64)>,
    full_speed_after_s: f64,
    messages_per_second: f64,
    /// In the second minute after the last message.
    receives_per_minute: f64,
}

impl Ramp {
    /// Lets an idle worker meet a backlog that `fill` makes. Meanwhile the worker stands still, so that
    /// it meets all of it at once, and whoever sent it is busy no more. (A queue that delays its messages
    /// would do that too, but the embedded server looks through all that are delayed at each receive.)
    pub async fn of(
        mut command: Command,
        queue: &SqsQueue,
        messages: u64,
        fill: impl Future<Output = Result<()>>,
    ) -> Result<Self> {
        // Free a moment ago; the worker says if it is not any longer.
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.env("LONGSHORE__ADMIN__LISTEN", admin.to_string());
        let subject = Subject::start(command).await?;
        sleep(SETTLING).await;
        subject.signal("STOP").await?;
        fill.await?;
        subject.signal("CONT").await?;
        let drained =
            timeout(LATE, drained(queue, messages)).await.context("it is not drained")??;
        let (full_speed_after_s, messages_per_second) = full_speed(&drained)?;
        sleep(QUIET).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let metrics: Uri = format!("http://{admin}/metrics").parse()?;
        let before = receives(&client, &metrics).await?;
        sleep(QUIET).await;
        let receives_per_minute = receives(&client, &metrics).await? - before;
        subject.end().await?;
        Ok(Self { drained, full_speed_after_s, messages_per_second, receives_per_minute })
    }

    pub fn json(&self) -> Value {
        json!({
            "drained": self.drained,
            "full_speed_after_s": self.full_speed_after_s,
            "messages_per_second": self.messages_per_second,
            "receives_per_minute": self.receives_per_minute,
        })
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "from idle, {} ms a call and {} ms a write: full speed ({:.0} messages/s) {:.2} s after a backlog appeared; {:.1} receives in the second minute after it",
            AWAY.queue.as_millis(),
            AWAY.database.as_millis(),
            self.messages_per_second,
            self.full_speed_after_s,
            self.receives_per_minute
        )
    }
}

/// Seconds from now, and how many messages were deleted until then, at each look until all are.
async fn drained(queue: &SqsQueue, messages: u64) -> Result<Vec<(f64, f64)>> {
    let (begun, mut looks) = (Instant::now(), vec![(0.0, 0.0)]);
    let mut pace = interval(LOOK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once.
    pace.tick().await;
    loop {
        pace.tick().await;
        let facts = queue.facts().await?;
        let left = facts.messages_in_all();
        #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
        looks.push((begun.elapsed().as_secs_f64(), messages.saturating_sub(left) as f64));
        if left == 0 {
            return Ok(looks);
        }
    }
}

/// Seconds until the first look at full speed, and the median rate of the middle half.
fn full_speed(looks: &[(f64, f64)]) -> Result<(f64, f64)> {
    let all = looks.last().context("nothing was looked at")?.1;
    let rates: Vec<_> = looks
        .windows(2)
        .map(|pair| (pair[1], (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)))
        .collect();
    let is_middle = |done: f64| (all / 4.0..all * 3.0 / 4.0).contains(&done);
    let mut middle: Vec<_> =
        rates.iter().filter(|((_, done), _)| is_middle(*done)).map(|(_, rate)| *rate).collect();
    ensure!(middle.len() >= 5, "drained too soon to say more: take more MESSAGES");
    middle.sort_by(f64::total_cmp);
    let median = middle[middle.len() / 2];
    let first = rates.iter().find(|(_, rate)| *rate >= FULL * median);
    let ((after, _), _) = first.context("never at full speed")?;
    Ok((*after, median))
}

/// How many receives the worker counts.
async fn receives(client: &Client<HttpConnector, Empty<Bytes>>, metrics: &Uri) -> Result<f64> {
    let answer = client.get(metrics.clone()).await?;
    let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?;
    let is_wanted = |line: &&str| {
        line.starts_with("longshore_api_requests_total")
            && line.contains(r#"messaging_operation_name="receive""#)
    };
    match text.lines().find(is_wanted).and_then(|line| line.rsplit(' ').next()) {
        Some(value) => Ok(value.parse()?),
        None => bail!("no receives among the metrics"),
    }
}
