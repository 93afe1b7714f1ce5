//! What is measured, and on what.

use std::time::Duration;

use anyhow::{Context, Result};
use longshore::dev::portal::{self, Load};
use longshore::queue::Transport;
use serde_json::Value;

use crate::peers::{Peer, Wins};

const SEED: u64 = 81;

/// Of events in the load of a portal.
const EVENTS_OF_TEN: usize = 7;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub what: What,
    pub mix: Mix,
}

#[derive(Debug, Clone, Copy)]
pub enum What {
    /// By its subcommand.
    Loop(&'static str),
    Worker(Variant),
    /// What people use today.
    Peer(Peer, Distance),
}

/// How a worker runs, where it is not as by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variant {
    /// Otherwise what the settings say.
    pub transport: Option<Transport>,
    pub has_telemetry: bool,
    pub by_tls: bool,
    pub distance: Distance,
    /// The route of sessions keeps a version for each field.
    pub is_partial: bool,
}

/// How much later answers arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distance {
    pub queue: Duration,
    pub database: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// 70 % events, 20 % session updates, 10 % cache entries.
    Portal,
    Events,
    /// Updates of ten sessions.
    HotSessions,
    /// Events with bodies of 64 KiB.
    Large,
}

impl Mix {
    const ALL: [Self; 4] = [Self::Portal, Self::Events, Self::HotSessions, Self::Large];
}

const LARGE_BYTES: usize = 64 * 1024;

/// One message of 64 KiB stands for so many: more would fill the memory of the queue's server.
const LARGE_FOR: usize = 25;

const LARGE_MAX: usize = 8_000;

pub const DEFAULT: Variant = Variant {
    transport: None,
    has_telemetry: false,
    by_tls: false,
    distance: HERE,
    is_partial: false,
};

pub const HERE: Distance = Distance { queue: Duration::ZERO, database: Duration::ZERO };

/// A call to SQS takes so long within a region, and a write that a majority confirms.
pub const AWAY: Distance =
    Distance { queue: Duration::from_millis(20), database: Duration::from_millis(5) };

pub const LONGSHORE: &str = "longshore";
pub const WITH_TELEMETRY: &str = "longshore with telemetry";
pub const BY_SDK: &str = "longshore by sdk";
pub const SIGNED_LOOP: &str = "signed loop";
pub const BARE_LOOP: &str = "bare loop";
pub const LARGE: &str = "longshore, events of 64 KiB";
pub const LARGE_SIGNED_LOOP: &str = "signed loop, messages of 64 KiB";

const SQS_CONSUMER: Peer = Peer::SqsConsumer(Wins::Newer);
const BOTO3: Peer = Peer::Boto3(Wins::Newer);

/// In the order of running: loops first, each worker beside what it is held against.
pub const ROWS: [Row; 22] = [
    Row { name: BARE_LOOP, what: What::Loop("bare-loop"), mix: Mix::Portal },
    Row {
        name: BY_SDK,
        what: What::Worker(Variant { transport: Some(Transport::Sdk), ..DEFAULT }),
        mix: Mix::Portal,
    },
    Row { name: SIGNED_LOOP, what: What::Loop("signed-loop"), mix: Mix::Portal },
    Row { name: LONGSHORE, what: What::Worker(DEFAULT), mix: Mix::Portal },
    Row { name: "longshore, events alone", what: What::Worker(DEFAULT), mix: Mix::Events },
    Row { name: "longshore, hot sessions", what: What::Worker(DEFAULT), mix: Mix::HotSessions },
    Row {
        name: "longshore, hot sessions, partial route",
        what: What::Worker(Variant { is_partial: true, ..DEFAULT }),
        mix: Mix::HotSessions,
    },
    Row { name: LARGE_SIGNED_LOOP, what: What::Loop("signed-loop"), mix: Mix::Large },
    Row { name: LARGE, what: What::Worker(DEFAULT), mix: Mix::Large },
    Row {
        name: "longshore by TLS to the queue",
        what: What::Worker(Variant { by_tls: true, ..DEFAULT }),
        mix: Mix::Portal,
    },
    Row {
        name: "longshore, 20 ms a call and 5 ms a write",
        what: What::Worker(Variant { distance: AWAY, ..DEFAULT }),
        mix: Mix::Portal,
    },
    Row {
        name: "mq-bridge, events alone",
        what: What::Peer(Peer::MqBridge, HERE),
        mix: Mix::Events,
    },
    Row { name: "sqs-consumer", what: What::Peer(SQS_CONSUMER, HERE), mix: Mix::Portal },
    Row {
        name: "sqs-consumer, events alone",
        what: What::Peer(SQS_CONSUMER, HERE),
        mix: Mix::Events,
    },
    Row {
        name: "sqs-consumer, last write wins",
        what: What::Peer(Peer::SqsConsumer(Wins::Last), HERE),
        mix: Mix::Portal,
    },
    Row { name: "boto3", what: What::Peer(BOTO3, HERE), mix: Mix::Portal },
    Row { name: "boto3, events alone", what: What::Peer(BOTO3, HERE), mix: Mix::Events },
    Row {
        name: "boto3, last write wins",
        what: What::Peer(Peer::Boto3(Wins::Last), HERE),
        mix: Mix::Portal,
    },
    Row {
        name: "mq-bridge, events alone, 20 ms a call and 5 ms a write",
        what: What::Peer(Peer::MqBridge, AWAY),
        mix: Mix::Events,
    },
    Row {
        name: "sqs-consumer, 20 ms a call and 5 ms a write",
        what: What::Peer(SQS_CONSUMER, AWAY),
        mix: Mix::Portal,
    },
    Row {
        name: "boto3, 20 ms a call and 5 ms a write",
        what: What::Peer(BOTO3, AWAY),
        mix: Mix::Portal,
    },
    Row {
        name: WITH_TELEMETRY,
        what: What::Worker(Variant { has_telemetry: true, ..DEFAULT }),
        mix: Mix::Portal,
    },
];

/// The loads of some rows, each made once.
pub struct Loads(Vec<(Mix, Load)>);

impl Loads {
    /// Of so many messages each, or some more or less.
    pub fn of(rows: &[Row], messages: usize) -> Self {
        let is_wanted = |mix: &Mix| rows.iter().any(|row| row.mix == *mix);
        let mixes = Mix::ALL.into_iter().filter(is_wanted);
        Self(mixes.map(|mix| (mix, load(mix, messages))).collect())
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Load> {
        self.0.iter_mut().map(|(_, load)| load)
    }

    pub fn get(&self, mix: Mix) -> Result<&Load> {
        let (_, load) = self.0.iter().find(|(of, _)| *of == mix).context("a load is missing")?;
        Ok(load)
    }
}

pub fn load(mix: Mix, messages: usize) -> Load {
    match mix {
        Mix::Portal => portal::load(SEED, messages),
        Mix::Events => events(portal::load(SEED, messages * 10 / EVENTS_OF_TEN)),
        Mix::HotSessions => portal::hot_sessions(SEED, messages),
        Mix::Large => {
            let messages = messages.div_ceil(LARGE_FOR).min(LARGE_MAX);
            portal::large_events(SEED, messages, LARGE_BYTES)
        }
    }
}

/// The events of a load.
fn events(mut load: Load) -> Load {
    load.messages.retain(|message| {
        let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
        let is_expected = |id: &str| load.expected.events.contains(id);
        body["type"] == "event" && body["id"].as_str().is_some_and(is_expected)
    });
    load.expected.sessions.clear();
    load.expected.cache.clear();
    load.expected.dead_letters.clear();
    load
}
