//! What is asked, written into the body of a request.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::queue::sqs::batch::IDS;

/// Of each request and answer.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// What is wanted to be known of each message beside its body, of all that the queue knows.
pub const SYSTEM_ATTRIBUTE_NAMES: [&str; 6] = [
    "SentTimestamp",
    "ApproximateReceiveCount",
    "MessageGroupId",
    "SequenceNumber",
    "SenderId",
    "AWSTraceHeader",
];

/// Which of a message's own attributes are wanted.
pub const ATTRIBUTE_NAMES: [&str; 1] = ["All"];

/// Room for what a body has beside handles and URL: keys, ids, and what escapes add.
const KEYS_BYTES: usize = 512;

/// Room for what an entry of a batch has beside its handle.
const ENTRY_BYTES: usize = 64;

/// A call to SQS.
pub trait Call: Serialize {
    /// What it is called in the header `x-amz-target`.
    const TARGET: &'static str;

    /// About how large its body is.
    fn bytes(&self) -> usize;

    /// The body of the request.
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes());
        // Fails where a map has keys that are no text, or a writer cannot write: neither is here.
        let written = self.serialize(&mut serde_json::Serializer::new(&mut body));
        debug_assert!(written.is_ok(), "{written:?}");
        body
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Receive<'a> {
    pub queue_url: &'a str,
    pub message_system_attribute_names: [&'static str; 6],
    pub message_attribute_names: [&'static str; 1],
    pub max_number_of_messages: usize,
    /// Seconds; the queue's own where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<i32>,
    /// Of a long poll, seconds.
    pub wait_time_seconds: i32,
    /// FIFO queues only.
    #[serde(rename = "ReceiveRequestAttemptId", skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<&'a str>,
}

impl Call for Receive<'_> {
    const TARGET: &'static str = "AmazonSQS.ReceiveMessage";

    fn bytes(&self) -> usize {
        KEYS_BYTES + self.queue_url.len()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Delete<'a> {
    pub queue_url: &'a str,
    #[serde(serialize_with = "delete_entries")]
    pub entries: &'a [Arc<str>],
}

impl Call for Delete<'_> {
    const TARGET: &'static str = "AmazonSQS.DeleteMessageBatch";

    fn bytes(&self) -> usize {
        entries_bytes(self.queue_url, self.entries)
    }
}

#[derive(Debug)]
pub struct ChangeVisibility<'a> {
    pub queue_url: &'a str,
    pub entries: &'a [Arc<str>],
    /// Seconds, from now.
    pub visibility_timeout: i32,
}

impl Call for ChangeVisibility<'_> {
    const TARGET: &'static str = "AmazonSQS.ChangeMessageVisibilityBatch";

    fn bytes(&self) -> usize {
        entries_bytes(self.queue_url, self.entries)
    }
}

impl Serialize for ChangeVisibility<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            queue_url: &'a str,
            entries: Entries<'a>,
        }
        let entries = Entries(self.entries, Some(self.visibility_timeout));
        Body { queue_url: self.queue_url, entries }.serialize(serializer)
    }
}

fn entries_bytes(queue_url: &str, handles: &[Arc<str>]) -> usize {
    let handles = handles.iter().map(|handle| handle.len() + ENTRY_BYTES).sum::<usize>();
    KEYS_BYTES + queue_url.len() + handles
}

fn delete_entries<S: Serializer>(handles: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    Entries(handles, None).serialize(serializer)
}

/// The entries of a batch, each with its place as its id, and the seconds that it is to be hidden.
struct Entries<'a>(&'a [Arc<str>], Option<i32>);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry<'a> {
            id: &'a str,
            receipt_handle: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            visibility_timeout: Option<i32>,
        }
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (id, handle) in IDS.iter().zip(self.0) {
            let entry = Entry { id, receipt_handle: handle, visibility_timeout: self.1 };
            list.serialize_element(&entry)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(call: &impl Call) -> Value {
        serde_json::from_slice(&call.encode()).expect("JSON")
    }

    fn receive() -> Receive<'static> {
        Receive {
            queue_url: "http://h/0/portal",
            message_system_attribute_names: SYSTEM_ATTRIBUTE_NAMES,
            message_attribute_names: ATTRIBUTE_NAMES,
            max_number_of_messages: 10,
            visibility_timeout: None,
            wait_time_seconds: 20,
            attempt_id: None,
        }
    }

    #[test]
    fn a_receive_says_only_what_is_set() {
        let wanted = json!({
            "QueueUrl": "http://h/0/portal",
            "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount", "MessageGroupId", "SequenceNumber", "SenderId", "AWSTraceHeader"],
            "MessageAttributeNames": ["All"],
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 20,
        });
        assert_eq!(read(&receive()), wanted);
        let all = Receive { visibility_timeout: Some(30), attempt_id: Some("a-1"), ..receive() };
        assert_eq!(read(&all)["VisibilityTimeout"], 30);
        assert_eq!(read(&all)["ReceiveRequestAttemptId"], "a-1");
    }

    #[test]
    fn an_entry_has_its_place_as_its_id() {
        let entries = ["a".into(), "b".into()];
        let delete = Delete { queue_url: "q", entries: &entries };
        assert_eq!(
            read(&delete),
            json!({ "QueueUrl": "q", "Entries": [{ "Id": "0", "ReceiptHandle": "a" }, { "Id": "1", "ReceiptHandle": "b" }] })
        );
        let change =
            ChangeVisibility { queue_url: "q", entries: &entries[..1], visibility_timeout: 0 };
        assert_eq!(
            read(&change),
            json!({ "QueueUrl": "q", "Entries": [{ "Id": "0", "ReceiptHandle": "a", "VisibilityTimeout": 0 }] })
        );
    }

    proptest! {
        #[test]
        fn whatever_a_handle_holds_arrives_as_it_was(handles in prop::collection::vec("\\PC{0,40}|[\\x00-\\x7f]{0,20}", 0..=10), url in ".{0,30}") {
            let entries: Vec<Arc<str>> = handles.iter().map(|handle| handle.as_str().into()).collect();
            let written = read(&Delete { queue_url: &url, entries: &entries });
            prop_assert_eq!(written["QueueUrl"].as_str(), Some(url.as_str()));
            let back: Vec<_> = written["Entries"].as_array().expect("a list").iter().map(|entry| entry["ReceiptHandle"].as_str().expect("text").to_owned()).collect();
            prop_assert_eq!(back, handles);
        }
    }
}
