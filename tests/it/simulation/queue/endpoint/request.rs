//! A request as it comes over a connection, and what it asks for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::simulation::conduct;

pub struct Request {
    pub path: String,
    headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What is asked of the queue.
pub enum Wanted {
    Receive { max: usize, wait: Duration, attempt: Option<String> },
    Handles { handles: Vec<Arc<str>>, ids: Vec<String>, request: conduct::Request, hide: Duration },
}

impl Request {
    /// The next one. `None` where the connection ends before it is whole, or it is none.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Self> {
        let line = line(stream).await?;
        let path = line.strip_prefix("POST ")?.strip_suffix(" HTTP/1.1")?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let line = self::line(stream).await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ")?;
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { path, headers, body })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn wanted(&self) -> Option<Wanted> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let seconds = |value: &Value| value.as_u64().map(Duration::from_secs);
        if self.header("x-amz-target")? == "AmazonSQS.ReceiveMessage" {
            return Some(Wanted::Receive {
                max: body["MaxNumberOfMessages"].as_u64()?.try_into().ok()?,
                wait: seconds(&body["WaitTimeSeconds"])?,
                attempt: body["ReceiveRequestAttemptId"].as_str().map(str::to_owned),
            });
        }
        let entries = body["Entries"].as_array()?;
        let texts = |name: &str| -> Option<Vec<String>> {
            entries.iter().map(|entry| Some(entry[name].as_str()?.to_owned())).collect()
        };
        let handles = texts("ReceiptHandle")?.into_iter().map(Arc::from).collect();
        let ids = texts("Id")?;
        let (request, hide) = match self.header("x-amz-target")? {
            "AmazonSQS.DeleteMessageBatch" => (conduct::Request::Delete, Duration::ZERO),
            "AmazonSQS.ChangeMessageVisibilityBatch" => {
                match seconds(&entries.first()?["VisibilityTimeout"])? {
                    Duration::ZERO => (conduct::Request::Release, Duration::ZERO),
                    hide => (conduct::Request::Hide, hide),
                }
            }
            _ => return None,
        };
        Some(Wanted::Handles { handles, ids, request, hide })
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    Some(line.strip_suffix("\r\n")?.to_owned())
}
