//! What any transport to SQS must do, whatever a server, a network or a clock does: one suite, run
//! case by case by both. Where they differ, the case says it.
//!
//! What wants variables of its own (proxies, certificates) is in `cli/connection.rs`; what a good
//! server does, in `sqs.rs`.

mod answers;
mod connections;
mod requests;
mod room;

use std::sync::Arc;
use std::time::Duration;

use longshore::queue::sqs::SqsQueue;
use longshore::queue::{EntryOutcome, Queue, QueueFault, Transport};
use serde_json::{Value, json};

use crate::support::scripted::{Asked, Reply, Scripted};
use crate::support::sqs::connect_by;

const NOW: Duration = Duration::ZERO;
const URL: &str = "http://h/0/portal";

/// Makes one test per transport of each function.
macro_rules! by_each_transport {
    ($($name:ident,)*) => {
        mod lean {
            $(#[tokio::test]
            async fn $name() {
                super::$name(longshore::queue::Transport::Lean).await;
            })*
        }
        mod sdk {
            $(#[tokio::test]
            async fn $name() {
                super::$name(longshore::queue::Transport::Sdk).await;
            })*
        }
    };
}
pub(crate) use by_each_transport;

/// A server with a script, and its queue.
struct Case {
    server: Scripted,
    queue: SqsQueue,
}

impl Case {
    async fn new(
        transport: Transport,
        script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = Scripted::start(script);
        let connected = connect_by(transport, &server.endpoint, URL).await;
        Self { queue: connected.expect("connected").0, server }
    }

    async fn receive(&self) -> Result<Vec<String>, QueueFault> {
        let messages = self.queue.receive(10, NOW, None).await?;
        Ok(messages.into_iter().map(|message| message.body).collect())
    }

    async fn delete(&self) -> Result<Vec<EntryOutcome>, QueueFault> {
        self.queue.delete(&[Arc::from("h")]).await
    }
}

/// The answer to a receive that brings one message with this body.
fn one(body: &str) -> Value {
    json!({ "Messages": [{ "MessageId": "m", "ReceiptHandle": "h", "Body": body, "Attributes": { "SentTimestamp": "1795341605123" } }] })
}

fn done() -> Reply {
    Reply::json(&json!({ "Successful": [{ "Id": "0" }] }))
}
