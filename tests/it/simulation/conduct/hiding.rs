//! That a worker keeps hidden what it holds: by what the queue has confirmed, not by what was asked
//! of it.

use std::time::Duration;

use tokio::time::Instant;

use crate::simulation::life::Life;

use super::Ledger;

/// No extension is asked for beyond this time from the receive: the message is given back instead
/// (SQS: 12 h at most).
pub const HOLD: Duration = Duration::from_hours(11);

/// Calls that failed one after the other. A worker then asks less often, and may be too late.
const REFUSED: usize = 8;

/// An extension that failed is asked for once more when the calls beside it have ended, each after
/// this share of the visibility timeout at most, and a pause.
const CALL_SHARE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(1_500);

/// How long an extension waits for its answer that is to hide messages for so long.
pub fn patience(hide: Duration) -> Duration {
    hide / CALL_SHARE
}

/// How long one message is hidden, as far as the worker knows.
pub struct Hidden {
    /// When it was asked for; the queue counts from no earlier moment.
    since: Instant,
    length: Duration,
    /// Extensions that were asked for since then, how many of these failed, and when the last of
    /// them did.
    asks: usize,
    asked_at: Option<Instant>,
    failed: usize,
    failed_at: Option<Instant>,
    is_over: bool,
}

impl Hidden {
    pub fn new(since: Instant, length: Duration) -> Self {
        Self { since, length, asks: 0, asked_at: None, failed: 0, failed_at: None, is_over: false }
    }

    pub fn asked(&mut self) {
        self.asks += 1;
        self.asked_at = Some(Instant::now());
    }

    pub fn failed(&mut self) {
        self.failed += 1;
        self.failed_at = Some(Instant::now());
    }

    pub fn confirmed(&mut self, asked_at: Instant, length: Duration) {
        *self = Self::new(asked_at, length);
    }

    /// What was neglected, if its time is over. What is left in the queue is waited for longer.
    fn neglected(&self, may_be_left: bool) -> Option<&'static str> {
        // An extension that has no answer by then has failed.
        let given_up_at = self
            .asked_at
            .filter(|_| !may_be_left)
            .map(|at| at + patience(self.length))
            .filter(|at| *at <= Instant::now());
        let failed_at = self.failed_at.min(given_up_at).or(self.failed_at).or(given_up_at);
        let left = failed_at.map(|at| (self.since + self.length).saturating_duration_since(at));
        match (self.asks, self.failed) {
            (0, _) => Some("did not ask to hide it longer"),
            (1, 0 | 1) if left.is_some_and(|left| left >= self.length / CALL_SHARE + PAUSE) => {
                Some("did not ask again when that failed")
            }
            _ => None,
        }
    }
}

/// Looks for messages that came out of hiding though nothing kept the worker from asking.
pub fn looks_after(who: &Life, ledger: &mut Ledger) {
    let conditions = who.conditions();
    let is_refused = ledger.refused_hides >= REFUSED;
    for (handle, receipt) in ledger.receipts.open_mut(who) {
        let exposed = conditions.awake_since(receipt.hidden.since);
        let is_taken_over = receipt.hidden.is_over || receipt.is_given_back();
        if is_taken_over || exposed <= receipt.hidden.length || receipt.is_overdue() {
            continue;
        }
        receipt.hidden.is_over = true;
        if let Some(neglect) =
            receipt.hidden.neglected(receipt.is_doubted()).filter(|_| !is_refused)
        {
            let length = receipt.hidden.length;
            conditions.history.violation(|| {
                format!(
                    "{} held {handle}, which was hidden for {length:?}, and {neglect}",
                    who.name
                )
            });
        }
    }
}
