//! What this process may do with the queue, tried by calls that change nothing.

use super::calls::Operation;
use super::client::SqsQueue;
use crate::queue::{EntryOutcome, Queue, QueueFault, QueueFaultKind};

/// No queue ever gave out this receipt handle.
const NO_HANDLE: &str = "longshore-check-no-such-handle";

/// One permission of the worker and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The IAM action.
    pub permission: &'static str,
    pub access: Access,
}

/// What the answer to a trial call says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Allowed,
    /// With what to do.
    Denied(String),
    /// With the reason.
    NotTried(String),
    /// Tried without an answer to the question.
    Unknown(String),
}

impl SqsQueue {
    /// Tries the permissions that a worker needs.
    ///
    /// Deleting and hiding are tried with a receipt handle that does not exist: AWS checks the
    /// permission first, and then says that the handle is bad. A receive is not tried: whatever it
    /// brought would be hidden and its receive count would grow. Permission to use the queue's KMS
    /// key is not seen either.
    pub async fn probe(&self) -> Vec<Probe> {
        let handles = [NO_HANDLE.into()];
        let probe =
            |operation: Operation, access| Probe { permission: operation.permission(), access };
        vec![
            probe(Operation::GetAttributes, access(self.facts().await.map(|_| EntryOutcome::Done))),
            probe(
                Operation::Receive,
                Access::NotTried("not tried: a receive hides messages and counts against the queue's redrive policy".to_owned()),
            ),
            probe(Operation::Delete, access(self.delete(&handles).await.map(first))),
            probe(Operation::ChangeVisibility, access(self.change_visibility(&handles, std::time::Duration::ZERO).await.map(first))),
        ]
    }
}

fn first(outcomes: Vec<EntryOutcome>) -> EntryOutcome {
    outcomes.into_iter().next().unwrap_or_else(|| EntryOutcome::Failed("no answer".to_owned()))
}

fn access(answer: Result<EntryOutcome, QueueFault>) -> Access {
    match answer {
        // Some servers count the delete of an unknown message as done.
        Ok(EntryOutcome::Done | EntryOutcome::Stale) => Access::Allowed,
        Ok(EntryOutcome::Failed(text)) if text.starts_with("AccessDenied") => Access::Denied(text),
        Ok(EntryOutcome::Failed(text)) => Access::Unknown(text),
        Err(fault) if fault.kind == QueueFaultKind::Denied => Access::Denied(fault.text),
        Err(fault) => Access::Unknown(fault.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_handle_shows_that_a_call_is_allowed() {
        let fault = |kind| Err(QueueFault { kind, text: "t".to_owned() });
        assert_eq!(access(Ok(EntryOutcome::Stale)), Access::Allowed);
        assert_eq!(access(fault(QueueFaultKind::Denied)), Access::Denied("t".to_owned()));
        assert_eq!(access(fault(QueueFaultKind::Unavailable)), Access::Unknown("t".to_owned()));
        assert_eq!(
            access(Ok(EntryOutcome::Failed("InternalError".to_owned()))),
            Access::Unknown("InternalError".to_owned())
        );
    }
}
