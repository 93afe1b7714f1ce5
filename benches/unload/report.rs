//! Figures of several runs, and how they are shown.

use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

/// What one process cost to move the messages of one run.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub cpu_seconds_per_million: f64,
    pub messages_per_second: f64,
    pub peak_rss_mib: f64,
    pub receives_per_message: f64,
    pub deletes_per_message: f64,
    pub visibility_changes_per_message: f64,
    pub commands_per_message: f64,
}

/// Name in JSON, heading of the column, decimals shown, value.
type Column = (&'static str, &'static str, usize, fn(&Figures) -> f64);

const COLUMNS: [Column; 7] = [
    ("cpu_seconds_per_million", "CPU s/million", 1, |figures| figures.cpu_seconds_per_million),
    ("messages_per_second", "messages/s", 0, |figures| figures.messages_per_second),
    ("peak_rss_mib", "peak RSS MiB", 1, |figures| figures.peak_rss_mib),
    ("receives_per_message", "receives/message", 3, |figures| figures.receives_per_message),
    ("deletes_per_message", "deletes/message", 3, |figures| figures.deletes_per_message),
    ("visibility_changes_per_message", "visibility changes/message", 3, |figures| {
        figures.visibility_changes_per_message
    }),
    ("commands_per_message", "commands/message", 3, |figures| figures.commands_per_message),
];

/// All runs of the worker and of the loops.
#[derive(Debug, Default)]
pub struct Report {
    pub messages: usize,
    pub longshore: Vec<Figures>,
    pub by_sdk: Vec<Figures>,
    /// Empty unless that is asked for.
    pub with_telemetry: Vec<Figures>,
    /// On the AWS SDK.
    pub bare_loop: Vec<Figures>,
    /// By the lean transport.
    pub signed_loop: Vec<Figures>,
}

impl Report {
    fn rows(&self) -> impl Iterator<Item = (&'static str, &[Figures])> {
        let rows = [
            ("longshore", &self.longshore),
            ("longshore with telemetry", &self.with_telemetry),
            ("longshore by sdk", &self.by_sdk),
            ("signed loop", &self.signed_loop),
            ("bare loop", &self.bare_loop),
        ];
        rows.into_iter()
            .map(|(name, runs)| (name, runs.as_slice()))
            .filter(|(_, runs)| !runs.is_empty())
    }

    /// How many times the CPU of the worker alone the worker with all telemetry needs.
    fn telemetry_ratio(&self) -> Option<f64> {
        let cpu = |runs: &[Figures]| median(runs, |figures| figures.cpu_seconds_per_million);
        (!self.with_telemetry.is_empty()).then(|| cpu(&self.with_telemetry) / cpu(&self.longshore))
    }

    /// How many times the CPU of the signed loop the worker needs, and of the bare loop the worker on
    /// the SDK.
    fn cpu_ratios(&self) -> (f64, f64) {
        let cpu = |runs: &[Figures]| median(runs, |figures| figures.cpu_seconds_per_million);
        (cpu(&self.longshore) / cpu(&self.signed_loop), cpu(&self.by_sdk) / cpu(&self.bare_loop))
    }

    pub fn json(&self) -> Value {
        let figures = |figures: &Figures| {
            COLUMNS
                .iter()
                .map(|(name, _, _, value)| ((*name).to_owned(), json!(value(figures))))
                .collect()
        };
        let (lean, sdk) = self.cpu_ratios();
        let mut report = json!({"messages": self.messages, "cpu_ratio": lean, "cpu_ratio_by_sdk": sdk, "telemetry_ratio": self.telemetry_ratio()});
        for (name, runs) in self.rows() {
            let medians: Value = COLUMNS
                .iter()
                .map(|(name, _, _, value)| ((*name).to_owned(), json!(median(runs, *value))))
                .collect();
            let each: Vec<Value> = runs.iter().map(figures).collect();
            report[name.replace(' ', "_")] = json!({"median": medians, "runs": each});
        }
        report
    }

    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header(
            [String::new()]
                .into_iter()
                .chain(COLUMNS.iter().map(|(_, heading, _, _)| (*heading).to_owned())),
        );
        for (name, runs) in self.rows() {
            let cells = COLUMNS.iter().map(|(_, _, decimals, value)| {
                Cell::new(format!("{:.decimals$}", median(runs, *value)))
                    .set_alignment(CellAlignment::Right)
            });
            table.add_row([Cell::new(name)].into_iter().chain(cells));
        }
        let runs = if self.longshore.len() > 1 {
            format!(", medians of {} runs", self.longshore.len())
        } else {
            String::new()
        };
        let telemetry = self
            .telemetry_ratio()
            .map(|ratio| format!(", and with telemetry {ratio:.3} times its own"))
            .unwrap_or_default();
        let (lean, sdk) = self.cpu_ratios();
        format!(
            "{table}\n{} messages{runs}; longshore needs {lean:.2} times the CPU of the signed loop, on the SDK {sdk:.2} times that of the bare loop{telemetry}",
            self.messages
        )
    }
}

/// Of an even number of values the mean of the two in the middle. There is at least one.
fn median(runs: &[Figures], value: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<_> = runs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}
