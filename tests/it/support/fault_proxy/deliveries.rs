//! What becomes of received messages on their way: copies, system attributes, answers that were lost.

use std::collections::BTreeMap;

use serde_json::Value;

/// Behind the receipt handle of a copy. Cut off again before the server sees it.
const COPY: &str = "#copy";

#[derive(Default)]
pub(super) struct Deliveries {
    /// Copies that are to come with a later answer.
    late: Vec<Value>,
    /// By attempt id: answers that nobody got.
    lost: BTreeMap<String, Value>,
    pub trace_header: Option<fn(&Value) -> Option<String>>,
    pub sender: Option<fn(&Value) -> Option<String>>,
}

impl Deliveries {
    /// Asks for no more than half of what the caller has room for.
    pub fn make_room_for_copies(request: &mut Value) {
        let max = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        request["MaxNumberOfMessages"] = (max / 2).max(1).into();
    }

    /// Adds copies, up to `max` messages in all: of what comes now every other one, and what was
    /// put off before. The rest is put off. Returns how many copies it added.
    pub fn duplicate(&mut self, messages: &mut Vec<Value>, max: usize) -> usize {
        let mut copies: Vec<_> = messages.iter().map(copy).collect();
        let put_off = copies.split_off(copies.len().div_ceil(2));
        copies.append(&mut self.late);
        let too_many = copies.split_off(copies.len().min(max.saturating_sub(messages.len())));
        self.late = too_many.into_iter().chain(put_off).collect();
        let added = copies.len();
        messages.extend(copies);
        added
    }

    /// Keeps an answer to a FIFO receive that is dropped on its way.
    pub fn lose(&mut self, attempt: &str, answer: Value) {
        self.lost.insert(attempt.to_owned(), answer);
    }

    /// What SQS does for five minutes: the same attempt gets the same messages, and that is no
    /// further receive.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
    pub fn found(&mut self, attempt: &str) -> Option<Value> {
        self.lost.remove(attempt)
    }

    pub fn mark(&self, messages: &mut [Value]) {
        let marks = [("AWSTraceHeader", self.trace_header), ("SenderId", self.sender)];
        for (attribute, of) in marks {
            let Some(of) = of else { continue };
            for message in &mut *messages {
                if let Some(value) = of(message) {
                    message["Attributes"][attribute] = value.into();
                }
            }
        }
    }
}

fn copy(message: &Value) -> Value {
    let mut copy = message.clone();
    copy["ReceiptHandle"] =
        format!("{}{COPY}", message["ReceiptHandle"].as_str().expect("a handle")).into();
    copy
}

/// Gives copies the handle of what they are a copy of.
pub(super) fn restore_handles(request: &mut Value) {
    let Some(entries) = request["Entries"].as_array_mut() else { return };
    for entry in entries {
        if let Some(handle) =
            entry["ReceiptHandle"].as_str().and_then(|handle| handle.strip_suffix(COPY))
        {
            entry["ReceiptHandle"] = handle.to_owned().into();
        }
    }
}

/// The messages of an answer to a receive.
pub(super) fn messages(answer: &mut Value) -> &mut Vec<Value> {
    if !answer["Messages"].is_array() {
        answer["Messages"] = Value::Array(Vec::new());
    }
    answer["Messages"].as_array_mut().expect("made above")
}
