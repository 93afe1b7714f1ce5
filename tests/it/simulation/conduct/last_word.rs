//! That no call overtakes another. The queue obeys the call that it applies last, so what a worker
//! asks last of a handle must be applied last: once a release is acknowledged, nothing hides the
//! message again.
//!
//! A worker can wait for the answer to an extension before it gives the message back, and after a
//! while it must do so without. If the answer comes after all, it gives the message back once more.

use std::sync::Arc;
use std::time::Duration;

use longshore::queue::EntryOutcome;
use tokio::time::Instant;

use crate::simulation::life::Life;

use super::{Ledger, Request};

/// What is given back waits this long at most for an extension that has no answer.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// An extension waits for its answer for this share of the visibility timeout.
const CALL_SHARE: u32 = 10;

/// The longest until a message is given back once more.
const AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// The calls about one handle that hide the message or give it back.
#[derive(Default)]
pub struct Calls {
    /// When each call was sent that is to hide it and has no answer.
    hiding: Vec<Instant>,
    given_back: Option<GivenBack>,
    /// How many calls are to give it back and have no answer.
    giving_back: usize,
    /// Since when it must be given back once more.
    due_again: Option<Instant>,
}

struct GivenBack {
    asked_at: Instant,
    was_letting_go: bool,
    is_acknowledged: bool,
    is_again: bool,
}

impl Calls {
    /// Whether the release that was asked for last is one more of a message that went back.
    pub fn is_again(&self) -> bool {
        self.given_back.as_ref().is_some_and(|given_back| given_back.is_again)
    }
}

/// How long a release waits at least for an extension that was sent just before.
fn wait_min(who: &Life) -> Duration {
    (who.conditions().plan.visibility_timeout / CALL_SHARE).min(WAIT_MAX)
}

/// Looks at a call before it is sent.
pub fn asked(who: &Life, ledger: &mut Ledger, handle: &str, request: Request) {
    let Some(receipt) = ledger.receipts.get_mut(handle) else { return };
    if request == Request::Delete {
        return;
    }
    let was_letting_go = who.stop.is_letting_go();
    let may_hurry = was_letting_go || receipt.is_overdue();
    let calls = &mut receipt.calls;
    let history = &who.conditions().history;
    if request == Request::Hide && calls.given_back.is_some() {
        history.violation(|| format!("{} asks to hide {handle}, which it gives back", who.name));
    }
    if let Some(since) = calls.hiding.iter().find(|since| since.elapsed() < wait_min(who))
        && !may_hurry
    {
        history.violation(|| {
            format!(
                "{} asks of {handle} to {request:?}, and {:?} ago asked to hide it and has no answer",
                who.name,
                since.elapsed()
            )
        });
    }
    if request == Request::Hide {
        return calls.hiding.push(Instant::now());
    }
    calls.giving_back += 1;
    let is_again = calls.due_again.take().is_some()
        && calls.given_back.as_ref().is_some_and(|given_back| given_back.is_acknowledged);
    calls.given_back = Some(GivenBack {
        asked_at: Instant::now(),
        was_letting_go,
        is_acknowledged: is_again,
        is_again,
    });
}

/// Takes note of an answer about a handle, or, where it is `None`, that there is none for the call.
pub fn answered(
    ledger: &mut Ledger,
    handle: &str,
    (request, asked_at): (Request, Instant),
    outcome: Option<&EntryOutcome>,
) {
    let Some(receipt) = ledger.receipts.get_mut(handle) else { return };
    let calls = &mut receipt.calls;
    let is_done = outcome == Some(&EntryOutcome::Done);
    match request {
        Request::Hide => {
            calls.hiding.retain(|at| *at != asked_at);
            let is_overtaken =
                calls.given_back.as_ref().is_some_and(|given_back| given_back.asked_at >= asked_at);
            if is_done && is_overtaken {
                calls.due_again = Some(Instant::now());
            }
        }
        Request::Release => {
            calls.giving_back = calls.giving_back.checked_sub(1).expect("it was asked for");
            if let Some(given_back) = &mut calls.given_back {
                given_back.is_acknowledged |= is_done;
            }
            calls.due_again = calls.due_again.map(|_| Instant::now());
        }
        Request::Delete => {}
    }
}

/// The queue hides messages, for a call that was sent at `asked_at`.
pub fn hides(
    who: &Life,
    ledger: &mut Ledger,
    (handle, outcome): (&Arc<str>, &EntryOutcome),
    asked_at: Instant,
) {
    let wait_min = wait_min(who);
    let Some(receipt) = ledger.receipts.get_mut(handle) else { return };
    let Some(given_back) = &receipt.calls.given_back else { return };
    let has_waited = given_back.asked_at.saturating_duration_since(asked_at) >= wait_min;
    if *outcome == EntryOutcome::Done
        && given_back.is_acknowledged
        && given_back.asked_at >= asked_at
        && !has_waited
        && !given_back.was_letting_go
        && !receipt.is_overdue()
    {
        who.conditions().history.violation(|| {
            format!("{handle} is hidden again, for an extension that {} overtook", who.name)
        });
    }
}

/// Looks for messages that were hidden after they went back, and not given back once more.
pub fn looks_after(who: &Life, ledger: &mut Ledger) {
    if who.stop.is_letting_go() {
        return;
    }
    for (handle, receipt) in ledger.receipts.all_mut() {
        let calls = &mut receipt.calls;
        let is_late = |since: &Instant| who.conditions().awake_since(*since) > AGAIN_WITHIN;
        // No two calls give it back at once, so one that hangs has to end first.
        if calls.giving_back == 0 && calls.due_again.as_ref().is_some_and(is_late) {
            calls.due_again = None;
            if calls.given_back.as_ref().is_some_and(|given_back| given_back.is_acknowledged) {
                who.conditions().history.violation(|| {
                    format!(
                        "{} heard that {handle} was hidden after it went back, and left it so",
                        who.name
                    )
                });
            }
        }
    }
}
