//! Batches: entries numbered by their place, and answers put back into that order.

use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::BatchResultErrorEntry;

use super::fault::{self, bare_code};
use crate::queue::{BATCH_MAX, EntryOutcome, QueueFault};

/// Ids of entries: an entry's place in its batch.
pub(super) const IDS: [&str; BATCH_MAX] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Makes one entry of the request for each item.
///
/// # Errors
/// Where the batch is larger than [`BATCH_MAX`], which SQS would refuse.
pub(super) fn entries<I: Clone, E>(
    items: &[I],
    build: impl Fn(&str, I) -> Result<E, BuildError>,
) -> Result<Vec<E>, QueueFault> {
    within_limit(items.len())?;
    IDS.iter()
        .zip(items)
        .map(|(id, item)| {
            build(id, item.clone())
                .map_err(|error| fault::unusable(format!("cannot build a batch entry: {error}")))
        })
        .collect()
}

/// # Errors
/// Where the batch is larger than [`BATCH_MAX`], which SQS would refuse.
pub(super) fn within_limit(entries: usize) -> Result<(), QueueFault> {
    if entries > BATCH_MAX {
        return Err(fault::unusable(format!(
            "a batch of {entries} entries: SQS takes {BATCH_MAX} at most"
        )));
    }
    Ok(())
}

/// An entry that the server did not do, and what it says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused<'a> {
    pub id: &'a str,
    pub code: &'a str,
    pub message: &'a str,
}

impl<'a> From<&'a BatchResultErrorEntry> for Refused<'a> {
    fn from(entry: &'a BatchResultErrorEntry) -> Self {
        let message = entry.message.as_deref().unwrap_or_default();
        Self { id: &entry.id, code: &entry.code, message }
    }
}

/// What became of each of `count` entries of a delete or visibility batch.
pub(super) fn outcomes<'a>(
    count: usize,
    done: impl Iterator<Item = &'a str>,
    failed: impl Iterator<Item = Refused<'a>>,
) -> Vec<EntryOutcome> {
    let answers = done
        .map(|id| (id, EntryOutcome::Done))
        .chain(failed.map(|entry| (entry.id, outcome(entry))));
    in_order(count, EntryOutcome::Failed, answers)
}

/// Puts answers into the order of the request. An entry that the server did not answer for has
/// failed: nothing is known about it. Where it was answered for twice, the last answer counts.
pub(super) fn in_order<T>(
    count: usize,
    failed: impl Fn(String) -> T,
    answers: impl Iterator<Item = (impl AsRef<str>, T)>,
) -> Vec<T> {
    let mut all: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    for (id, answer) in answers {
        if let Some(slot) = id.as_ref().parse::<usize>().ok().and_then(|place| all.get_mut(place)) {
            *slot = Some(answer);
        }
    }
    let unanswered = || failed("the queue did not answer for this entry".to_owned());
    all.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
}

fn outcome(entry: Refused<'_>) -> EntryOutcome {
    if is_stale(bare_code(entry.code), entry.message) {
        return EntryOutcome::Stale;
    }
    EntryOutcome::Failed(text(entry))
}

/// One line about a refused entry: code and the server's words.
pub(super) fn text(entry: Refused<'_>) -> String {
    match entry.message {
        "" => bare_code(entry.code).to_owned(),
        message => fault::one_line(&format!("{}: {message}", bare_code(entry.code))),
    }
}

/// AWS says in several ways that a handle is no longer good: a code of its own, or a general one
/// whose text tells ("Reason: The receipt handle has expired", "Message does not exist or is not
/// available for visibility timeout change").
fn is_stale(code: &str, message: &str) -> bool {
    match code {
        "ReceiptHandleIsInvalid" | "MessageNotInflight" | "InvalidIdFormat" => true,
        "InvalidParameterValue" => {
            let message = message.to_ascii_lowercase();
            ["does not exist", "has expired", "not in flight", "not available for visibility"]
                .iter()
                .any(|words| message.contains(words))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(id: &'a str, code: &'a str, message: &'a str) -> Refused<'a> {
        Refused { id, code, message }
    }

    #[test]
    fn answers_stand_in_the_order_of_the_request() {
        let failed = [entry("1", "InternalError", "")];
        let answers = outcomes(3, ["2", "0"].into_iter(), failed.into_iter());
        assert_eq!(
            answers,
            [
                EntryOutcome::Done,
                EntryOutcome::Failed("InternalError".to_owned()),
                EntryOutcome::Done
            ]
        );
    }

    #[test]
    fn an_entry_without_an_answer_has_failed() {
        let answers = outcomes(2, ["0", "7", "x", ""].into_iter(), [].into_iter());
        assert_eq!(answers[0], EntryOutcome::Done);
        assert!(matches!(answers[1], EntryOutcome::Failed(_)));
    }

    #[test]
    fn an_entry_that_is_both_done_and_failed_has_failed() {
        let failed = [entry("0", "InternalError", "we broke")];
        assert_eq!(
            outcomes(1, ["0"].into_iter(), failed.into_iter()),
            [EntryOutcome::Failed("InternalError: we broke".to_owned())]
        );
    }

    #[test]
    fn every_way_to_say_that_a_handle_is_old_is_stale() {
        for (code, message) in [
            ("ReceiptHandleIsInvalid", "The input receipt handle is invalid."),
            ("AWS.SimpleQueueService.ReceiptHandleIsInvalid", ""),
            ("AWS.SimpleQueueService.MessageNotInflight", ""),
            (
                "MessageNotInflight",
                "Message does not exist or is not available for visibility timeout change.",
            ),
            (
                "InvalidParameterValue",
                "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            ),
            (
                "InvalidParameterValue",
                "Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility \
                 timeout change.",
            ),
        ] {
            assert_eq!(
                outcomes(1, [].into_iter(), [entry("0", code, message)].into_iter()),
                [EntryOutcome::Stale],
                "{code} {message}"
            );
        }
    }

    #[test]
    fn other_refusals_are_worth_another_try() {
        for (code, message) in [
            (
                "InvalidParameterValue",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ),
            ("InternalError", "We encountered an internal error. Please try again."),
            ("AccessDenied", ""),
        ] {
            let outcome = &outcomes(1, [].into_iter(), [entry("0", code, message)].into_iter())[0];
            assert!(
                matches!(outcome, EntryOutcome::Failed(text) if text.starts_with(code)),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_batch_over_the_limit_is_refused_before_it_is_sent() {
        let handles = vec![String::new(); BATCH_MAX + 1];
        assert!(entries(&handles, |_, _| Ok(())).is_err());
        assert_eq!(entries(&handles[1..], |id, _| Ok(id.to_owned())).unwrap(), IDS);
    }
}
