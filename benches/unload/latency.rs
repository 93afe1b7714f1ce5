//! How long a message takes from its sending until a majority of the database has it, at a hundred a
//! second: by a worker, and by bare calls: one receive, one write.
//!
//! A change stream tells of both, so both are told as late as it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bson::{Document, doc};
use futures_util::StreamExt;
use longshore::queue::sqs::SqsQueue;
use longshore::queue::{BATCH_MAX, Queue};
use longshore::queue::{Outgoing, SendOutcome};
use mongodb::Client;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ChangeStreamEvent;
use mongodb::options::WriteConcern;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::median::median;

/// Between two messages.
const PACE: Duration = Duration::from_millis(10);

pub const MESSAGES: u32 = 2_000;

/// The first ones, which meet connections that are not made yet. They come at once, so that the others
/// meet as many receives as a backlog leaves behind.
const WARM_UP: u32 = 200;

/// For the last of them.
const LATE: Duration = Duration::from_secs(30);

const LONG_POLL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub struct Latency {
    pub worker: Quantiles,
    pub bare: Quantiles,
    /// Receives of the worker for each message.
    pub receives: f64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Quantiles {
    half: f64,
    of_hundred_99: f64,
}

impl Latency {
    /// Of each figure the median of the runs: one pause of the machine is beyond a p99.
    pub fn median(runs: &[Self]) -> Option<Self> {
        let of = |value: fn(&Self) -> f64| median(runs, |run| Some(value(run)));
        Some(Self {
            worker: Quantiles {
                half: of(|run| run.worker.half)?,
                of_hundred_99: of(|run| run.worker.of_hundred_99)?,
            },
            bare: Quantiles {
                half: of(|run| run.bare.half)?,
                of_hundred_99: of(|run| run.bare.of_hundred_99)?,
            },
            receives: of(|run| run.receives)?,
        })
    }

    pub fn json(self) -> Value {
        let json = |of: Quantiles| json!({"p50_ms": of.half, "p99_ms": of.of_hundred_99});
        json!({"longshore": json(self.worker), "bare": json(self.bare), "receives_per_message": self.receives})
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, bare, receives } = self;
        write!(
            f,
            "from sent to durable at 100 a second: p50 {:.1} ms, {:.2} times that of one receive and one write ({:.1} ms); p99 {:.1} ms, {:.2} times ({:.1} ms); {receives:.2} receives a message",
            worker.half,
            worker.half / bare.half,
            bare.half,
            worker.of_hundred_99,
            worker.of_hundred_99 / bare.of_hundred_99,
            bare.of_hundred_99,
        )
    }
}

/// Sends to the queue, and takes the time until each message is in a collection of the database.
pub async fn until_durable(queue: &SqsQueue, client: &Client, database: &str) -> Result<Quantiles> {
    let changes = client.database(database).watch().await?;
    let (sent, seen) = tokio::try_join!(send(queue), see(changes))?;
    let mut took: Vec<f64> = Vec::new();
    for (id, sent) in sent.iter().filter(|(id, _)| **id >= WARM_UP) {
        let seen = seen.get(id).with_context(|| format!("message {id} did not come"))?;
        took.push(seen.saturating_duration_since(*sent).as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    Ok(Quantiles { half: took[took.len() / 2], of_hundred_99: took[took.len() * 99 / 100] })
}

/// When each was about to be sent.
async fn send(queue: &SqsQueue) -> Result<HashMap<u32, Instant>> {
    let mut sent = HashMap::new();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for id in 0..MESSAGES {
        if id >= WARM_UP {
            pace.tick().await;
        }
        let body = json!({"type": "event", "id": format!("latency-{id}"), "event_type": "login", "user_id": 7});
        let entry = Outgoing { body: body.to_string(), ..Outgoing::default() };
        sent.insert(id, Instant::now());
        match queue.send_batch(&[entry]).await?.as_slice() {
            [SendOutcome::Sent { .. }] => {}
            outcomes => bail!("cannot send: {outcomes:?}"),
        }
    }
    Ok(sent)
}

/// When each was seen.
async fn see(
    mut changes: ChangeStream<ChangeStreamEvent<Document>>,
) -> Result<HashMap<u32, Instant>> {
    let mut seen = HashMap::new();
    while seen.len() < MESSAGES as usize {
        let change = timeout(LATE, changes.next()).await.context("no message comes")?;
        let change = change.context("the change stream ended")??;
        let Some(document) = change.full_document else { continue };
        if let Some(id) = number(&document) {
            seen.insert(id, Instant::now());
        }
    }
    Ok(seen)
}

fn number(document: &Document) -> Option<u32> {
    document.get_str("_id").ok()?.strip_prefix("latency-")?.parse().ok()
}

/// One receive and one write after the other, until dropped. Deletes wait for nobody.
pub async fn bare(queue: SqsQueue, client: &Client, database: &str) -> Result<()> {
    let queue = Arc::new(queue);
    let collection = client.database(database).collection::<Document>("bare");
    loop {
        let messages = queue.receive(BATCH_MAX, LONG_POLL, None).await?;
        if messages.is_empty() {
            continue;
        }
        let documents = messages.iter().map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
            doc! {"_id": body["id"].as_str().unwrap_or_default()}
        });
        collection.insert_many(documents).write_concern(WriteConcern::majority()).await?;
        let handles: Vec<_> = messages.into_iter().map(|message| message.receipt_handle).collect();
        let queue = Arc::clone(&queue);
        tokio::spawn(async move { queue.delete(&handles).await });
    }
}
