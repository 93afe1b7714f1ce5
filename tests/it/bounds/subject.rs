//! A worker that is measured: a process of its own, between a queue that this process serves and a
//! database of its own.

use std::time::Duration;

use longshore::dev::mongod::{Mongod, Options};
use longshore::queue::BATCH_MAX;
use longshore::queue::{Outgoing, SEND_BYTES_MAX};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::support::child::Child;
use crate::support::mongod::program;
use crate::support::sqs::Kind;
use crate::support::surroundings::Surroundings;

/// A queue and a database that nothing else uses, so that they can be stopped.
pub struct Servers {
    pub surroundings: Surroundings,
    mongod: Mongod,
}

impl Servers {
    /// Messages stay hidden for `visibility_timeout` seconds.
    pub async fn new(kind: Kind, visibility_timeout: &str) -> Self {
        let mongod = Mongod::start(&Options::new(program().await))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let attributes = json!({ "VisibilityTimeout": visibility_timeout });
        Self { surroundings: Surroundings::on(kind, &attributes, &mongod).await, mongod }
    }

    /// Sends by tens, or fewer where they are too large together.
    pub async fn send(&self, messages: impl Iterator<Item = Outgoing>) {
        let (mut lot, mut bytes) = (Vec::new(), 0);
        for message in messages {
            if lot.len() == BATCH_MAX || bytes + message.bytes() > SEND_BYTES_MAX {
                self.surroundings.send(&std::mem::take(&mut lot)).await;
                bytes = 0;
            }
            bytes += message.bytes();
            lot.push(message);
        }
        self.surroundings.send(&lot).await;
    }

    /// Freezes the database: it answers nothing, and its connections stay open.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        for process_id in self.mongod.process_ids() {
            let sent = Command::new("kill")
                .args(["-s", name, &process_id.to_string()])
                .status()
                .await
                .expect("start kill");
            assert!(sent.success(), "cannot send {name} to the database");
        }
    }

    pub fn worker(&self, settings: &[(&str, &str)]) -> Child {
        let mut command = self.surroundings.longshore(&["run"]);
        command.envs(settings.iter().copied());
        Child::start(command)
    }

    pub async fn in_flight(&self) -> u64 {
        self.surroundings.facts().await.messages_in_flight
    }

    /// Waits for as long as `deadline` until the queue is empty.
    pub async fn emptied(&self, worker: &mut Child, deadline: Duration) {
        let begun = Instant::now();
        while self.surroundings.left().await > 0 {
            worker.assert_running();
            assert!(
                begun.elapsed() < deadline,
                "{} messages are left after {deadline:?}",
                self.surroundings.left().await
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn count(&self, collection: &str) -> u64 {
        let collection =
            self.surroundings.manager.database().collection::<mongodb::bson::Document>(collection);
        collection.count_documents(mongodb::bson::doc! {}).await.expect("a count")
    }

    /// Ends the database.
    pub async fn stop(self) {
        self.thaw().await;
        self.mongod.stop().await;
    }
}

/// The most memory that a process ever had, in bytes, without the pages of its program's file, as
/// Linux counts it (proc(5), `VmHWM`, `RssFile`): a debug build has 25 MiB more of those than what is
/// shipped, and a kernel that is short of memory takes them back.
pub fn peak_memory(worker: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.process_id()))
        .expect("a running process, on Linux");
    let bytes = |name: &str| {
        let kib = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        kib.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).expect("in kB")
            * 1024
    };
    bytes("VmHWM:") - bytes("RssFile:")
}

/// The last line of a worker, which names all that it did.
pub fn last_words(printed: &str) -> Value {
    let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .rfind(|line| line["message"] == "ended")
        .unwrap_or_else(|| panic!("it ended without a word:\n{printed}"))
}
