//! What is counted.

use std::collections::BTreeMap;
use std::hint::black_box;

use anyhow::{Context, Result};
use clap::ValueEnum;
use longshore::config::Config;
use longshore::config::load::defaults;
use longshore::decode::decode;
use longshore::dev::portal;
use longshore::message::{QueueMessage, Record, Write};
use longshore::route::Router;
use longshore::store::mongo::command_of;
use longshore::store::{Collection, Writes};

use crate::{pipeline, transport};

const SEED: u64 = 81;

/// Messages of a round.
const MESSAGES: usize = 200;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Stage {
    /// From the body to a record.
    Decode,
    /// From the record to a write.
    Route,
    /// From writes to the commands that the database is sent.
    Encode,
    /// Receive and delete by the lean transport, from a call to bytes and from bytes to messages.
    Wire,
    /// The whole pipeline on a queue and a store that do nothing.
    Pipeline,
}

impl Stage {
    pub const ALL: [Self; 5] =
        [Self::Decode, Self::Route, Self::Encode, Self::Wire, Self::Pipeline];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Route => "route",
            Self::Encode => "encode",
            Self::Wire => "wire",
            Self::Pipeline => "pipeline",
        }
    }

    /// Of a round.
    pub const fn messages(self) -> usize {
        match self {
            Self::Wire => transport::MESSAGES,
            Self::Decode | Self::Route | Self::Encode | Self::Pipeline => MESSAGES,
        }
    }

    pub fn run(self, rounds: usize) -> Result<()> {
        let config = defaults();
        let messages = portal::delivered(&portal::load(SEED, MESSAGES));
        match self {
            Self::Decode => each(rounds, &messages, |message| {
                drop(black_box(decode(message, &config.message)));
            }),
            Self::Route => {
                let records = records(&messages, &config);
                let router = router(&config);
                each(rounds, &records, |record| drop(black_box(router.route(record))));
            }
            Self::Encode => {
                let written = written(&messages, &config)?;
                each(rounds, &written, |(collection, writes)| {
                    let of_kind = Writes::of(&collection.kind, writes);
                    drop(black_box(of_kind.map(|writes| command_of(collection, &writes))));
                });
            }
            Self::Wire => transport::run(rounds, &messages)?,
            Self::Pipeline => pipeline::run(config, &vec![messages; rounds].concat())?,
        }
        Ok(())
    }
}

fn each<T>(rounds: usize, items: &[T], mut work: impl FnMut(&T)) {
    for _ in 0..rounds {
        items.iter().for_each(&mut work);
    }
}

/// What can be decoded.
fn records(messages: &[QueueMessage], config: &Config) -> Vec<Record> {
    messages.iter().filter_map(|message| decode(message, &config.message).ok()).collect()
}

/// By the name of the collection.
fn router(config: &Config) -> Router<String> {
    Router::new(&config.routes, config.message.version_skew_max, str::to_owned)
}

/// All writes, by their collection.
fn written(messages: &[QueueMessage], config: &Config) -> Result<Vec<(Collection, Vec<Write>)>> {
    let router = router(config);
    let mut by_collection = BTreeMap::<_, Vec<_>>::new();
    for record in records(messages, config) {
        if let Ok(routed) = router.route(&record) {
            by_collection.entry(routed.lane.clone()).or_default().push(routed.write);
        }
    }
    let with_collection = |(name, writes)| {
        let collection = config.collections.get(&name).context("a collection is missing")?;
        Ok((collection.clone(), writes))
    };
    by_collection.into_iter().map(with_collection).collect()
}
