//! What the proxy saw and did, for tests to read.

use std::collections::{BTreeMap, BTreeSet};

use longshore::queue::sqs::Operation;
use serde_json::Value;

use super::plan::Fault;

#[derive(Debug, Clone, Default)]
pub struct Observations {
    calls: [u64; Operation::ALL.len()],
    answered: [u64; Operation::ALL.len()],
    injected: BTreeMap<&'static str, u64>,
    /// By message id: how often the queue gave it out, which is its receive count.
    pub received: BTreeMap<String, u64>,
    /// By message id: how often it came to the worker, copies included.
    pub delivered: BTreeMap<String, u64>,
    /// The attempt ids of receives, in the order of asking, and what the call met.
    pub attempts: Vec<(String, Option<Fault>)>,
    /// Receipt handles that the queue gave out here and that were neither deleted nor given back
    /// here: what the worker holds, and what it never got because an answer was lost.
    pub hidden: BTreeSet<String>,
}

impl Observations {
    /// Calls that came in, whatever became of them.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.calls[operation as usize]
    }

    /// Of these, how many still wait for an answer.
    pub fn in_progress(&self, operation: Operation) -> u64 {
        self.calls(operation) - self.answered[operation as usize]
    }

    /// How often a fault really happened. What a plan has in store for a call that gives no
    /// occasion (copies of no messages) is not counted.
    pub fn injected(&self, fault: Fault) -> u64 {
        self.injected.get(fault.name()).copied().unwrap_or(0)
    }

    /// All faults that happened, by name.
    pub fn all_injected(&self) -> &BTreeMap<&'static str, u64> {
        &self.injected
    }

    /// Receives beyond the one that each message needs.
    pub fn extra_receives(&self) -> u64 {
        self.received.values().map(|times| times - 1).sum()
    }

    /// The same, of the message that had the most.
    pub fn extra_receives_max(&self) -> u64 {
        self.received.values().max().map_or(0, |times| times - 1)
    }

    pub(super) fn call(&mut self, operation: Operation) {
        self.calls[operation as usize] += 1;
    }

    pub(super) fn answer(&mut self, operation: Operation) {
        self.answered[operation as usize] += 1;
    }

    pub(super) fn inject(&mut self, fault: Fault) {
        *self.injected.entry(fault.name()).or_default() += 1;
    }

    pub(super) fn receive(&mut self, messages: &[Value]) {
        count(&mut self.received, messages);
        self.hidden.extend(
            messages
                .iter()
                .filter_map(|message| Some(message["ReceiptHandle"].as_str()?.to_owned())),
        );
    }

    /// Takes note of entries that the queue deleted or gave back.
    pub(super) fn settle(&mut self, operation: Operation, request: &Value, answer: &Value) {
        let done: Vec<_> = answer["Successful"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| &entry["Id"])
            .collect();
        for entry in request["Entries"].as_array().into_iter().flatten() {
            let ends = operation == Operation::Delete || entry["VisibilityTimeout"] == 0;
            if ends && done.contains(&&entry["Id"]) {
                self.hidden.remove(entry["ReceiptHandle"].as_str().unwrap_or_default());
            }
        }
    }

    pub(super) fn deliver(&mut self, messages: &[Value]) {
        count(&mut self.delivered, messages);
    }
}

fn count(times: &mut BTreeMap<String, u64>, messages: &[Value]) {
    for message in messages {
        *times.entry(message["MessageId"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
}
