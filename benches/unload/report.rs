//! Figures of several runs, and how they are shown.

use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

use crate::idle::Idle;
use crate::latency::Latency;
use crate::measure;
use crate::median::median;
use crate::ramp::Ramp;
use crate::rows::{
    BARE_LOOP, BY_SDK, LARGE, LARGE_SIGNED_LOOP, LONGSHORE, SIGNED_LOOP, WITH_TELEMETRY,
};
use crate::wrong::Wrong;

/// What one process cost to move the messages of one run.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub cpu_seconds_per_million: f64,
    pub messages_per_second: f64,
    pub peak_rss_mib: f64,
    /// Where the process counts them.
    pub receives_per_message: Option<f64>,
    pub deletes_per_message: Option<f64>,
    pub visibility_changes_per_message: Option<f64>,
    pub commands_per_message: Option<f64>,
    /// Where a database was filled.
    pub wrong: Option<Wrong>,
}

/// Name in JSON, heading of the column, decimals shown, value.
type Column = (&'static str, &'static str, usize, fn(&Figures) -> Option<f64>);

const COLUMNS: [Column; 7] = [
    ("cpu_seconds_per_million", "CPU s/million", 1, |figures| {
        Some(figures.cpu_seconds_per_million)
    }),
    ("messages_per_second", "messages/s", 0, |figures| Some(figures.messages_per_second)),
    ("peak_rss_mib", "peak RSS MiB", 1, |figures| Some(figures.peak_rss_mib)),
    ("receives_per_message", "receives/message", 3, |figures| figures.receives_per_message),
    ("deletes_per_message", "deletes/message", 3, |figures| figures.deletes_per_message),
    ("visibility_changes_per_message", "visibility changes/message", 3, |figures| {
        figures.visibility_changes_per_message
    }),
    ("commands_per_message", "commands/message", 3, |figures| figures.commands_per_message),
];

/// All runs, and what else was measured.
#[derive(Debug, Default)]
pub struct Report {
    messages: usize,
    /// By the name of the row.
    rows: Vec<(&'static str, Vec<Figures>)>,
    /// Rows, and why.
    pub not_run: Vec<(&'static str, String)>,
    pub failed: Vec<(&'static str, String)>,
    pub idle: Option<Idle>,
    pub latency: Option<Latency>,
    pub ramp: Option<Ramp>,
}

impl Report {
    pub fn of(messages: usize) -> Self {
        Self { messages, ..Self::default() }
    }

    pub fn add(&mut self, row: &'static str, figures: Figures) {
        match self.rows.iter_mut().find(|(name, _)| *name == row) {
            Some((_, runs)) => runs.push(figures),
            None => self.rows.push((row, vec![figures])),
        }
    }

    /// The median CPU of a row, where it was run.
    fn cpu(&self, row: &str) -> Option<f64> {
        let (_, runs) = self.rows.iter().find(|(name, _)| *name == row)?;
        median(runs, |figures| Some(figures.cpu_seconds_per_million))
    }

    /// How many times the CPU of the second row the first one needs.
    fn cpu_ratio(&self, row: &str, of: &str) -> Option<f64> {
        Some(self.cpu(row)? / self.cpu(of)?)
    }

    /// The floor of a row that is a worker.
    fn floor(row: &str) -> Option<&'static str> {
        match row {
            SIGNED_LOOP | BARE_LOOP | LARGE_SIGNED_LOOP => None,
            BY_SDK => Some(BARE_LOOP),
            LARGE => Some(LARGE_SIGNED_LOOP),
            // Of a peer in another language no loop here is the floor.
            _ if row.starts_with("mq-bridge") => Some(BARE_LOOP),
            _ if row.starts_with("longshore") => Some(SIGNED_LOOP),
            _ => None,
        }
    }

    pub fn json(&self) -> Value {
        let figures = |figures: &Figures| {
            let columns = COLUMNS
                .iter()
                .map(|(name, _, _, value)| ((*name).to_owned(), json!(value(figures))));
            let wrong = figures.wrong.map(|wrong| ("wrong".to_owned(), wrong.json()));
            columns.chain(wrong).collect()
        };
        let row = |(name, runs): &(&'static str, Vec<Figures>)| {
            let medians: Value = COLUMNS
                .iter()
                .map(|(name, _, _, value)| ((*name).to_owned(), json!(median(runs, *value))))
                .collect();
            let each: Vec<Value> = runs.iter().map(figures).collect();
            let floor = Self::floor(name);
            let ratio = floor.and_then(|floor| self.cpu_ratio(name, floor));
            json!({
                "name": name, "median": medians, "runs": each, "floor": floor, "cpu_ratio": ratio,
                "wrong": wrong(runs).map(Wrong::json),
            })
        };
        json!({
            "messages": self.messages,
            "machine": measure::machine(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "not_run": self.not_run,
            "failed": self.failed,
            "telemetry_ratio": self.cpu_ratio(WITH_TELEMETRY, LONGSHORE),
            "idle": self.idle.map(Idle::json),
            "latency": self.latency.map(Latency::json),
            "ramp": self.ramp.as_ref().map(Ramp::json),
        })
    }

    /// The rows, and a line for all that is no row.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        let headings = COLUMNS.iter().map(|(_, heading, _, _)| *heading);
        let headings = headings.chain(["lost, doubled, stale"]);
        table.set_header(["", "times its loop"].into_iter().chain(headings));
        for (name, runs) in &self.rows {
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            let cells = COLUMNS.iter().map(|(_, _, decimals, value)| {
                let median = median(runs, *value);
                right(median.map(|median| format!("{median:.decimals$}")).unwrap_or_default())
            });
            let ratio = Self::floor(name).and_then(|floor| self.cpu_ratio(name, floor));
            let ratio = right(ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default());
            let wrong = wrong(runs)
                .map(|wrong| format!("{}, {}, {}", wrong.lost, wrong.doubled, wrong.stale));
            let wrong = right(wrong.unwrap_or_default());
            table.add_row([Cell::new(name), ratio].into_iter().chain(cells).chain([wrong]));
        }
        let runs = self.rows.iter().map(|(_, runs)| runs.len()).max().unwrap_or_default();
        let medians = if runs > 1 { format!(", medians of {runs} runs") } else { String::new() };
        let telemetry = self.cpu_ratio(WITH_TELEMETRY, LONGSHORE);
        let telemetry = telemetry.map(|ratio| {
            format!("with all telemetry the worker needs {ratio:.3} times its own CPU")
        });
        let lines = [
            Some(format!("{} messages{medians}", self.messages)),
            telemetry,
            self.idle.map(|idle| idle.to_string()),
            self.latency.map(|latency| latency.to_string()),
            self.ramp.as_ref().map(ToString::to_string),
        ];
        let table = (!self.rows.is_empty()).then(|| table.to_string());
        let not_run = self.not_run.iter().map(|(name, why)| format!("NOT RUN: {name} ({why})"));
        let failed = self.failed.iter().map(|(name, why)| format!("FAILED: {name} ({why})"));
        table
            .into_iter()
            .chain(not_run)
            .chain(failed)
            .chain(lines.into_iter().flatten())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The most of each in any run.
fn wrong(runs: &[Figures]) -> Option<Wrong> {
    runs.iter().filter_map(|figures| figures.wrong).reduce(Wrong::or_more)
}
