//! What is counted.

use std::collections::BTreeMap;
use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use longshore::config::Config;
use longshore::config::load::defaults;
use longshore::decode::decode;
use longshore::dev::portal;
use longshore::message::{QueueMessage, Record, Write};
use longshore::route::Router;
use longshore::store::mongo::first_command;
use longshore::store::{Collection, Writes};

use crate::{pipeline, transport};

const SEED: u64 = 81;

/// Of a round.
pub const MESSAGES: usize = 200;

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
    /// As on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub fn run(self, rounds: usize) -> Result<()> {
        let config = defaults();
        let messages = portal::delivered(&portal::load(SEED, MESSAGES));
        match self {
            Self::Decode => each(rounds, &messages, |message| {
                drop(black_box(decode(message, &config.message)));
            }),
            Self::Route => {
                let records = records(&messages, &config)?;
                let router = router(&config);
                each(rounds, &records, |record| drop(black_box(router.route(record))));
            }
            Self::Encode => {
                let written = written(&messages, &config)?;
                for (collection, writes) in &written {
                    let (_, in_it) = encode(collection, writes)?;
                    ensure!(in_it == writes.len(), "{in_it} of {} writes in it", writes.len());
                }
                each(rounds, &written, |(collection, writes)| {
                    drop(black_box(encode(collection, writes)));
                });
            }
            Self::Wire => transport::run(rounds, &messages)?,
            Self::Pipeline => {
                let given = (0..rounds).flat_map(|_| messages.iter().cloned()).collect();
                pipeline::run(config, given)?;
            }
        }
        Ok(())
    }
}

fn each<T>(rounds: usize, items: &[T], mut work: impl FnMut(&T)) {
    for _ in 0..rounds {
        items.iter().for_each(&mut work);
    }
}

/// Of all but those that are broken.
fn records(messages: &[QueueMessage], config: &Config) -> Result<Vec<Record>> {
    let decoded = messages.iter().filter_map(|message| decode(message, &config.message).ok());
    let records: Vec<_> = decoded.collect();
    // Some of those that are broken are found broken only by the router.
    let broken = portal::broken().len();
    ensure!(records.len() + broken >= messages.len(), "{} were decoded", records.len());
    Ok(records)
}

/// By the name of the collection.
fn router(config: &Config) -> Router<String> {
    Router::new(&config.routes, config.message.version_skew_max, str::to_owned)
}

/// All writes, by their collection.
fn written(messages: &[QueueMessage], config: &Config) -> Result<Vec<(Collection, Vec<Write>)>> {
    let router = router(config);
    let mut by_collection = BTreeMap::<_, Vec<_>>::new();
    for record in records(messages, config)? {
        if let Ok(routed) = router.route(&record) {
            by_collection.entry(routed.lane.clone()).or_default().push(routed.write);
        }
    }
    let writes: usize = by_collection.values().map(Vec::len).sum();
    let broken = portal::broken().len();
    ensure!(writes + broken == messages.len(), "{writes} were routed");
    let with_collection = |(name, writes)| {
        let collection = config.collections.get(&name).context("a collection is missing")?;
        Ok((collection.clone(), writes))
    };
    by_collection.into_iter().map(with_collection).collect()
}

fn encode(collection: &Collection, writes: &[Write]) -> Result<(Vec<u8>, usize)> {
    let writes = Writes::of(&collection.kind, writes).context("writes of two kinds")?;
    Ok(first_command(collection, &writes))
}
