//! The lean transport over a connection in memory, whose other end gives the same answers again and
//! again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use futures_util::future::BoxFuture;
use longshore::clock::SystemClock;
use longshore::message::QueueMessage;
use longshore::queue::sqs::{Connects, Given, SqsQueue, Stream};
use longshore::queue::{BATCH_MAX, EntryOutcome, Queue};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Large enough for any of the answers.
const BUFFER_BYTES: usize = 64 * 1024;

/// Receives and deletes ten at a time.
pub fn run(rounds: usize, messages: &[QueueMessage]) -> Result<()> {
    let endpoint = Endpoint { receive: answer(&received(messages)), delete: answer(&deleted()) };
    let queue = SqsQueue::given(Given {
        url: "http://sqs.counted/0/portal".to_owned(),
        region: "eu-west-1".to_owned(),
        fifo: false,
        credentials: SharedCredentialsProvider::new(Credentials::for_tests()),
        clock: Arc::new(SystemClock::default()),
        connects: Box::new(endpoint),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        for _ in 0..rounds * messages.len() / BATCH_MAX {
            let received = queue.receive(BATCH_MAX, Duration::ZERO, None).await?;
            ensure!(received.len() == BATCH_MAX, "{} messages came", received.len());
            let handles: Vec<_> =
                received.into_iter().map(|message| message.receipt_handle).collect();
            let deleted = queue.delete(&handles).await?;
            ensure!(deleted == vec![EntryOutcome::Done; BATCH_MAX], "deletes failed: {deleted:?}");
        }
        Ok(())
    })
}

/// As SQS says it.
fn received(messages: &[QueueMessage]) -> Value {
    let message = |message: &QueueMessage| {
        json!({
            "MessageId": message.message_id,
            "ReceiptHandle": format!("{:180}", message.receipt_handle).replace(' ', "A"),
            "MD5OfBody": "9b2e8ef2c1c4a6d2a0a1d2a1b3c4d5e6",
            "Body": message.body,
            "Attributes": {
                "SenderId": "AROAEXAMPLE:portal",
                "SentTimestamp": message.sent_ms.to_string(),
                "ApproximateReceiveCount": message.receive_count.to_string(),
            },
        })
    };
    json!({ "Messages": messages.iter().take(BATCH_MAX).map(message).collect::<Vec<_>>() })
}

fn deleted() -> Value {
    let entry = |id: usize| json!({ "Id": id.to_string() });
    json!({ "Successful": (0..BATCH_MAX).map(entry).collect::<Vec<_>>() })
}

fn answer(body: &Value) -> Arc<[u8]> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat().into()
}

struct Endpoint {
    receive: Arc<[u8]>,
    delete: Arc<[u8]>,
}

impl Connects for Endpoint {
    fn connect(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let (theirs, ours) = duplex(BUFFER_BYTES);
            tokio::spawn(serve(ours, Arc::clone(&self.receive), Arc::clone(&self.delete)));
            Ok(Box::new(theirs) as Box<dyn Stream>)
        })
    }
}

/// Requests come whole and one by one, so nothing of them is read but which of the two it is.
async fn serve(mut stream: DuplexStream, receive: Arc<[u8]>, delete: Arc<[u8]>) {
    let mut request = vec![0; BUFFER_BYTES];
    let mut calls = [receive, delete].into_iter().cycle();
    while let Ok(1..) = stream.read(&mut request).await {
        let Some(answer) = calls.next() else { return };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
