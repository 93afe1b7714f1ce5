//! The report: one row for each kind of fault.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::check::Broken;

/// What came of one fault, or of many of one kind.
#[derive(Debug)]
pub struct Row {
    pub fault: String,
    pub repetitions: usize,
    /// Messages sent.
    pub messages: usize,
    pub broken: Broken,
    /// Receives beyond the first of each message: see [`super::world::World::endure`].
    pub extra_receives: u64,
    /// Those of the message that had the most.
    pub extra_receives_max: u64,
    /// How often a worker stopped receiving because the database was sick. Not in the table.
    pub gate_closed: u64,
    /// Writes that were not confirmed, as the workers that ended by themselves have counted them.
    /// Not in the table.
    pub writes_failed: u64,
    /// From the end of the fault until something that was sent then was written. The longest of all
    /// repetitions.
    pub written_after: Duration,
    /// From the end of the fault until the queue was empty. The longest of all repetitions.
    pub emptied_after: Duration,
}

impl Row {
    /// Adds another repetition of the same fault.
    pub fn add(&mut self, other: Self) {
        assert_eq!(self.fault, other.fault);
        self.repetitions += other.repetitions;
        self.messages += other.messages;
        self.broken.lost.extend(other.broken.lost);
        self.broken.doubled.extend(other.broken.doubled);
        self.broken.stale.extend(other.broken.stale);
        self.broken.dead_lettered_wrongly.extend(other.broken.dead_lettered_wrongly);
        self.extra_receives += other.extra_receives;
        self.extra_receives_max = self.extra_receives_max.max(other.extra_receives_max);
        self.gate_closed += other.gate_closed;
        self.writes_failed += other.writes_failed;
        self.written_after = self.written_after.max(other.written_after);
        self.emptied_after = self.emptied_after.max(other.emptied_after);
    }

    /// Fails where a message was received again more often than the fault can be the reason of.
    pub fn assert_extra_receives(&self, max: u64) {
        let most = self.extra_receives_max;
        assert!(
            most <= max,
            "{}: a message was received {most} times more than once, expected at most {max}",
            self.fault
        );
    }

    /// Fails with what was lost, doubled, stale or wrongly dead-lettered.
    pub fn assert_promises_kept(&self) {
        let lines: Vec<_> = self.broken.lines().collect();
        assert!(lines.is_empty(), "{}:\n{}", self.fault, lines.join("\n"));
    }
}

const HEADER: [&str; 11] = [
    "fault",
    "repetitions",
    "messages",
    "lost",
    "doubled",
    "stale",
    "dead-lettered wrongly",
    "extra receives per message",
    "extra receives of one message (most)",
    "first write after, s (longest)",
    "queue empty after, s (longest)",
];

/// The rows in the order of their names.
pub fn table(rows: &[&Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(HEADER);
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| &row.fault);
    table.add_rows(rows.into_iter().map(cells));
    table
}

fn cells(row: &Row) -> Vec<Cell> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let extra = row.extra_receives as f64 / row.messages as f64;
    let broken = &row.broken;
    let numbers = [
        row.repetitions.to_string(),
        row.messages.to_string(),
        broken.lost.len().to_string(),
        broken.doubled.len().to_string(),
        broken.stale.len().to_string(),
        broken.dead_lettered_wrongly.len().to_string(),
        format!("{extra:.3}"),
        row.extra_receives_max.to_string(),
        format!("{:.1}", row.written_after.as_secs_f64()),
        format!("{:.1}", row.emptied_after.as_secs_f64()),
    ];
    let mut cells = vec![Cell::new(&row.fault)];
    cells.extend(numbers.map(|number| Cell::new(number).set_alignment(CellAlignment::Right)));
    cells
}
