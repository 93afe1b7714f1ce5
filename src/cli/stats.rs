//! `longshore stats`: what the collections hold and take.

use std::process::ExitCode;

use anyhow::Result;
use bson::{Bson, Document};
use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};
use indicatif::{BinaryBytes, HumanCount};
use serde_json::{Value, json};

use crate::config::Config;
use crate::mongo_manager::MongoManager;
use crate::queue::sqs::Credentials;

use super::exit::EXIT_FOUND;
use super::output::{self, Output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore stats
  longshore stats events
  longshore stats --json | jq .documents

Without COLLECTION it shows the collections that routes write to, and that of the dead letters. The numbers come from the server's collStats.")]
pub struct StatsArgs {
    /// Only this collection, whether a route writes to it or not
    #[arg(value_name = "COLLECTION")]
    collection: Option<String>,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the database cannot be reached, or does not allow to ask.
pub async fn stats(config: Config, args: StatsArgs) -> Result<ExitCode> {
    let credentials = Credentials::chain(&config.queue).provider();
    let manager = MongoManager::connect_with(&config.db, credentials).await?;
    let is_asked_for = args.collection.is_some();
    let names = match args.collection {
        Some(name) => vec![name],
        None => config.collections.into_keys().chain([config.dead_letters.collection]).collect(),
    };
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        // The server's own answer for a collection that is not there is all zeros.
        let sizes = if manager.has_collection(&name).await? {
            Some(Sizes::read(&manager.coll_stats(&name).await?))
        } else {
            None
        };
        rows.push((name, sizes));
    }
    match Output::json_if(args.json) {
        Output::People => output::print(&table(&rows).to_string()),
        Output::Json => rows
            .iter()
            .for_each(|(name, sizes)| output::print(&line(name, sizes.as_ref()).to_string())),
    }
    // Before the first message it is no mistake that the routes' collections are missing.
    let is_missing = is_asked_for && rows.iter().any(|(_, sizes)| sizes.is_none());
    Ok(if is_missing { ExitCode::from(EXIT_FOUND) } else { ExitCode::SUCCESS })
}

/// Of one collection.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    documents: u64,
    /// Of all documents, uncompressed.
    bytes: u64,
    average_bytes: u64,
    /// On disk, compressed, freed space included.
    storage_bytes: u64,
    indexes: u64,
    index_bytes: u64,
}

impl Sizes {
    fn read(stats: &Document) -> Self {
        let number = |name: &str| number(stats.get(name));
        Self {
            documents: number("count"),
            bytes: number("size"),
            average_bytes: number("avgObjSize"),
            storage_bytes: number("storageSize"),
            indexes: number("nindexes"),
            index_bytes: number("totalIndexSize"),
        }
    }
}

/// A number of whatever width the server took for it; an average can have a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and no size is negative"
)]
fn number(value: Option<&Bson>) -> u64 {
    match value {
        Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Double(number)) => *number as u64,
        _ => 0,
    }
}

fn table(rows: &[(String, Option<Sizes>)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "collection",
        "documents",
        "size",
        "average",
        "storage",
        "indexes",
        "index size",
    ]);
    for (name, sizes) in rows {
        let Some(sizes) = sizes else {
            table.add_row([name.as_str(), "is missing"]);
            continue;
        };
        let numbers = [
            HumanCount(sizes.documents).to_string(),
            BinaryBytes(sizes.bytes).to_string(),
            BinaryBytes(sizes.average_bytes).to_string(),
            BinaryBytes(sizes.storage_bytes).to_string(),
            sizes.indexes.to_string(),
            BinaryBytes(sizes.index_bytes).to_string(),
        ];
        let numbers = numbers.map(|number| Cell::new(number).set_alignment(CellAlignment::Right));
        table.add_row([Cell::new(name)].into_iter().chain(numbers));
    }
    table
}

fn line(name: &str, sizes: Option<&Sizes>) -> Value {
    match sizes {
        None => json!({"collection": name, "missing": true}),
        Some(sizes) => json!({
            "collection": name,
            "documents": sizes.documents,
            "size_bytes": sizes.bytes,
            "average_bytes": sizes.average_bytes,
            "storage_bytes": sizes.storage_bytes,
            "indexes": sizes.indexes,
            "index_bytes": sizes.index_bytes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn sizes() -> Sizes {
        Sizes::read(
            &doc! { "count": 1_200_i32, "size": 3_000_000_000_i64, "avgObjSize": 2_500.5, "storageSize": 4_096.0, "nindexes": 2 },
        )
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        let expected = Sizes {
            documents: 1_200,
            bytes: 3_000_000_000,
            average_bytes: 2_500,
            storage_bytes: 4_096,
            indexes: 2,
            index_bytes: 0,
        };
        assert_eq!(sizes(), expected);
        assert_eq!(number(Some(&Bson::Int32(-1))), 0);
    }

    #[test]
    fn a_missing_collection_says_so() {
        let table = table(&[("events".to_owned(), Some(sizes())), ("sessions".to_owned(), None)])
            .to_string();
        let row = |name: &str| {
            table
                .lines()
                .find(|line| line.contains(name))
                .unwrap_or_else(|| panic!("{table}"))
                .to_owned()
        };
        assert!(row("events").contains("1,200") && row("events").contains("2.79 GiB"), "{table}");
        assert!(row("sessions").contains("is missing"), "{table}");
        assert_eq!(line("sessions", None), json!({"collection": "sessions", "missing": true}));
    }
}
