//! What a worker did, in a few lines for people: what is not 0, and nothing twice.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use crate::telemetry::counters::Counts;

/// Requests to the queue, failed ones included: what AWS bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCalls {
    pub receive: u64,
    pub delete: u64,
    pub change_visibility: u64,
    pub other: u64,
}

/// One thing a line.
pub(super) fn of(drained: bool, ran: Duration, counts: &Counts, calls: QueueCalls) -> Vec<String> {
    let how = if drained {
        "every message that was received was deleted or given back"
    } else {
        "messages that were not finished in time were given back, or are received again after their visibility timeout"
    };
    // A fraction of a second is of no use here.
    let ran = Duration::from_secs(ran.as_secs());
    let mut lines = vec![format!("ended after {ran:?}: {how}")];
    lines.push(format!("messages: {}", messages(counts)));
    lines.extend(trouble(counts).map(|trouble| format!("trouble: {trouble}")));
    let QueueCalls { receive, delete, change_visibility, other } = calls;
    lines.push(format!(
        "calls to the queue: {receive} receive, {delete} delete, {change_visibility} change visibility, {other} other"
    ));
    lines
}

fn messages(counts: &Counts) -> String {
    let dead_letters = format!("dead letters ({})", listed(&counts.dead_lettered));
    let others = [
        (counts.redelivered_total, "of them received before"),
        (counts.joined_total, "joined with another of the same key"),
        (counts.already_there_total, "already there"),
        (counts.stale_total, "older than what is stored"),
        (counts.dead_lettered_total, &dead_letters),
        (counts.released_total, "given back"),
    ];
    let each = |count, what: &str| format!("{count} {what}");
    let others = some(&others, each).map_or_else(String::new, |others| format!("; {others}"));
    format!("{} received, {} deleted{others}", counts.received_total, counts.deleted_total)
}

fn trouble(counts: &Counts) -> Option<String> {
    let counts = [
        (counts.receives_failed_total, "receives failed"),
        (counts.writes_failed_total, "write attempts not confirmed"),
        (counts.gate_closed_total, "pauses while the database took no writes"),
        (counts.floods_total, "floods of rejected messages"),
        (counts.rejected_left_total, "rejected messages left in the queue"),
        (counts.dead_letters_not_sent_total, "dead letters not sent to their queue"),
        (counts.extends_failed_total, "extensions failed"),
        (counts.deletes_failed_total, "deletes failed"),
        (counts.deletes_abandoned_total, "deletes given up"),
        (counts.stale_handles_total, "stale receipt handles"),
    ];
    // So that it reads well of one and of many.
    some(&counts, |count, what| format!("{what}: {count}"))
}

/// `bad_json: 2, bad_key: 1`
pub(super) fn listed(counts: &BTreeMap<impl Display, u64>) -> String {
    let each: Vec<_> = counts.iter().map(|(label, count)| format!("{label}: {count}")).collect();
    each.join(", ")
}

/// Those that are not 0.
fn some(counts: &[(u64, &str)], each: impl Fn(u64, &str) -> String) -> Option<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<_> = some.map(|(count, what)| each(*count, what)).collect();
    (!some.is_empty()).then(|| some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Reason;

    #[test]
    fn the_end_is_told_in_a_few_lines_of_what_is_not_0() {
        let calls = QueueCalls { receive: 4, delete: 3, change_visibility: 2, other: 1 };
        let told = |drained, counts| of(drained, Duration::from_millis(90_400), &counts, calls);
        let calls = "calls to the queue: 4 receive, 3 delete, 2 change visibility, 1 other";
        assert_eq!(
            told(true, Counts::default()),
            [
                "ended after 90s: every message that was received was deleted or given back",
                "messages: 0 received, 0 deleted",
                calls
            ]
        );
        let counts = Counts {
            received_total: 12,
            deleted_total: 11,
            released_total: 1,
            dead_lettered_total: 3,
            dead_lettered: [(Reason::BadJson, 2), (Reason::BadKey, 1)].into(),
            gate_closed_total: 1,
            ..Counts::default()
        };
        assert_eq!(
            told(false, counts),
            [
                "ended after 90s: messages that were not finished in time were given back, or are received again after their visibility timeout",
                "messages: 12 received, 11 deleted; 3 dead letters (bad_json: 2, bad_key: 1), 1 given back",
                "trouble: pauses while the database took no writes: 1",
                calls
            ]
        );
    }
}
