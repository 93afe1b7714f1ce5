//! What a replay would do, in counts and samples.

use std::collections::BTreeMap;

use indicatif::HumanCount;
use serde_json::{Value, json};

use super::super::shown;
use super::letter::{Left, Ready, Why};
use crate::cli::output::{self, Output, harmless};
use crate::pipeline::trial::Outcome;

/// Of what has one end.
const SAMPLES_MAX: usize = 3;

/// Ends that are told apart, where their letters would stay: texts may quote what senders wrote. What else there is counts as others.
const ENDS_MAX: usize = 50;

#[derive(Default)]
pub(super) struct Forecast {
    go: u64,
    stay: u64,
    ends: BTreeMap<End, Counted>,
    others: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Write { collection: String },
    Stay { why: Why, text: String },
}

#[derive(Default)]
struct Counted {
    letters: u64,
    /// Message ids, and of what would be written the key.
    samples: Vec<(String, Option<String>)>,
}

impl Forecast {
    pub(super) fn would_go(&mut self, ready: &Ready) {
        self.go += 1;
        // Nothing else goes.
        let Outcome::Write { collection, write } = &ready.tried.outcome else { return };
        let (end, key) =
            (End::Write { collection: collection.clone() }, Some(write.key().to_string()));
        self.count(end, &ready.message_id, key);
    }

    pub(super) fn would_stay(&mut self, left: &Left) {
        self.stay += 1;
        self.count(End::Stay { why: left.why, text: left.text.clone() }, &left.message_id, None);
    }

    fn count(&mut self, end: End, message_id: &str, key: Option<String>) {
        let is_told = matches!(end, End::Write { .. }) || self.ends.contains_key(&end);
        if self.ends.len() >= ENDS_MAX && !is_told {
            self.others += 1;
            return;
        }
        let counted = self.ends.entry(end).or_default();
        counted.letters += 1;
        if counted.samples.len() < SAMPLES_MAX {
            counted.samples.push((message_id.to_owned(), key));
        }
    }

    /// Returns whether all would go.
    pub(super) fn tell(&self, output: Output) -> bool {
        for (end, counted) in &self.ends {
            match output {
                Output::People => output::print(&end.people(counted)),
                Output::Json => shown::print(&end.json(counted)),
            }
        }
        let Self { go, stay, others, .. } = self;
        output.line(
            || {
                let others = if *others > 0 {
                    format!("\n{} letters with other outcomes are not shown", HumanCount(*others))
                } else {
                    String::new()
                };
                let (go, stay) = (HumanCount(*go), HumanCount(*stay));
                format!("{go} dead letters would be put back, {stay} would stay{others}; nothing was sent")
            },
            || json!({ "would_go": go, "would_stay": stay, "not_shown": others }),
        );
        *stay == 0
    }
}

impl End {
    fn people(&self, Counted { letters, samples }: &Counted) -> String {
        let ids: Vec<_> = samples
            .iter()
            .map(|(id, key)| match key {
                Some(key) => format!("  {} -> {}", harmless(id), harmless(key)),
                None => format!("  {}", harmless(id)),
            })
            .collect();
        let count = HumanCount(*letters);
        let head = match self {
            Self::Write { collection } => format!("{count} would be written to {collection}"),
            Self::Stay { why, text } => {
                format!("{count} would stay ({}): {}", why.name(), harmless(text))
            }
        };
        format!("{head}, such as\n{}", ids.join("\n"))
    }

    fn json(&self, Counted { letters, samples }: &Counted) -> Value {
        let samples: Vec<_> =
            samples.iter().map(|(id, key)| json!({ "message_id": id, "key": key })).collect();
        match self {
            Self::Write { collection } => json!({
                "outcome": "write", "collection": collection, "letters": letters, "samples": samples,
            }),
            Self::Stay { why, text } => json!({
                "outcome": "stay", "why": why.name(), "text": text, "letters": letters, "samples": samples,
            }),
        }
    }
}
