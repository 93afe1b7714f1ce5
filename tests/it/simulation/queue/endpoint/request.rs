//! A request as it comes over a connection, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::simulation::conduct::Request;

use super::calls::Wanted;
use super::{HOST, URL};

pub struct HttpRequest {
    pub path: String,
    headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What a request asks for, and how the answer is to look.
pub struct Ask {
    pub wanted: Wanted,
    /// Of the entries of a batch.
    pub ids: Vec<String>,
    /// What a receive is to tell of each message beside its body.
    pub named: Vec<String>,
}

impl HttpRequest {
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

    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(String::as_str)
    }

    /// `None` where it is no request to this queue.
    pub fn ask(&self) -> Option<Ask> {
        let is_of_queue = self.path == "/"
            && self.header("host") == Some(HOST)
            && self.header("content-type") == Some("application/x-amz-json-1.0")
            && self.header("x-amzn-query-mode") == Some("true");
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        if !is_of_queue || body["QueueUrl"] != URL {
            return None;
        }
        match self.header("x-amz-target")?.strip_prefix("AmazonSQS.")? {
            "ReceiveMessage" => receive(&body),
            "DeleteMessageBatch" => settle(&body, |_| Some((Request::Delete, Duration::ZERO))),
            "ChangeMessageVisibilityBatch" => settle(&body, |entry| {
                Some(match seconds(&entry["VisibilityTimeout"])? {
                    Duration::ZERO => (Request::Release, Duration::ZERO),
                    hide => (Request::Hide, hide),
                })
            }),
            _ => None,
        }
    }
}

fn receive(body: &Value) -> Option<Ask> {
    // The queue's own timeout is to hold.
    if body.get("VisibilityTimeout").is_some() {
        return None;
    }
    let texts = |name: &str| -> Option<Vec<String>> {
        body[name].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    let mut named = texts("MessageSystemAttributeNames")?;
    named.extend(texts("MessageAttributeNames")?);
    let wanted = Wanted::Receive {
        max: body["MaxNumberOfMessages"].as_u64()?.try_into().ok()?,
        wait: seconds(&body["WaitTimeSeconds"])?,
        attempt: body["ReceiveRequestAttemptId"].as_str().map(str::to_owned),
    };
    Some(Ask { wanted, ids: Vec::new(), named })
}

/// One request for all entries.
fn settle(body: &Value, wants: impl Fn(&Value) -> Option<(Request, Duration)>) -> Option<Ask> {
    let entries = body["Entries"].as_array()?;
    let texts = |name: &str| -> Option<Vec<String>> {
        entries.iter().map(|entry| Some(entry[name].as_str()?.to_owned())).collect()
    };
    let (request, hide) = wants(entries.first()?)?;
    if entries.iter().any(|entry| wants(entry) != Some((request, hide))) {
        return None;
    }
    let ids = texts("Id")?;
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        return None;
    }
    let handles = texts("ReceiptHandle")?.into_iter().map(Arc::from).collect();
    let wanted = Wanted::Settle { request, handles, hide };
    Some(Ask { wanted, ids, named: Vec::new() })
}

fn seconds(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_secs)
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    Some(line.strip_suffix("\r\n")?.to_owned())
}
