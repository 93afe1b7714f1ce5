//! The three calls by the lean transport: from the types of the wire to the queue's own.

use std::time::Duration;

use super::Lean;
use super::failure::Failure;
use super::reading::Body;
use crate::queue::sqs::batch::{self, Refused};
use crate::queue::sqs::calls::Operation;
use crate::queue::sqs::client::{CALL_MAX, SqsQueue};
use crate::queue::sqs::fault::{self, Said};
use crate::queue::sqs::received;
use crate::queue::sqs::wire::{self, Call, ChangeVisibility, Delete, Receive, Text};
use crate::queue::{Brought, EntryOutcome, QueueFault, Room};

/// The most that is read of what became of ten entries.
const BATCH_ANSWER_BYTES_MAX: usize = 1024 * 1024;

impl SqsQueue {
    pub(in crate::queue::sqs) async fn receive_by(
        &self,
        lean: &Lean,
        call: &Receive<'_>,
        limit: Duration,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        // Each step has its own bound, and what waits for room is answered already.
        self.told(Operation::Receive, async {
            let read = async {
                let answer = lean.call(call, limit).await?;
                lean.pool.read_into(answer, room).await
            };
            match read.await.map_err(|failure| self.failed(Operation::Receive, failure))? {
                Body::Whole(answer) => {
                    let messages = wire::messages(&answer);
                    let messages = messages.ok_or_else(|| self.unreadable(Operation::Receive))?;
                    let messages = received::messages(messages, self.fifo, &self.address)?;
                    Ok(Brought { messages, are_unread: false })
                }
                Body::Handles(handles) => {
                    let messages = handles
                        .into_iter()
                        .filter_map(|handle| received::unread(handle, self.fifo))
                        .collect();
                    Ok(Brought { messages, are_unread: true })
                }
            }
        })
        .await
    }

    pub(in crate::queue::sqs) async fn delete_by(
        &self,
        lean: &Lean,
        call: &Delete<'_>,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        self.batch_by(lean, Operation::Delete, call, call.entries.len()).await
    }

    pub(in crate::queue::sqs) async fn change_visibility_by(
        &self,
        lean: &Lean,
        call: &ChangeVisibility<'_>,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        self.batch_by(lean, Operation::ChangeVisibility, call, call.entries.len()).await
    }

    async fn batch_by(
        &self,
        lean: &Lean,
        operation: Operation,
        call: &impl Call,
        entries: usize,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        batch::within_limit(entries)?;
        self.bounded(operation, CALL_MAX, async {
            let read = async {
                let answer = lean.call(call, CALL_MAX).await?;
                lean.pool.read_all(answer, BATCH_ANSWER_BYTES_MAX).await
            };
            let answer = read.await.map_err(|failure| self.failed(operation, failure))?;
            let read = wire::batch(&answer).ok_or_else(|| self.unreadable(operation))?;
            let (done, failed) =
                (read.successful.unwrap_or_default(), read.failed.unwrap_or_default());
            let failed = failed.iter().map(|entry| Refused {
                id: text(entry.id.as_ref()),
                code: text(entry.code.as_ref()),
                message: text(entry.message.as_ref()),
            });
            let done = done.iter().map(|entry| text(entry.id.as_ref()));
            Ok(batch::outcomes(entries, done, failed))
        })
        .await
    }

    fn failed(&self, operation: Operation, failure: Failure) -> QueueFault {
        failure.into_fault(operation, &self.address)
    }

    /// The status says that it was done, and the rest is none of SQS.
    fn unreadable(&self, operation: Operation) -> QueueFault {
        let said = Said { code: None, message: None, status: 200 };
        fault::of_answer(said, operation, &self.address)
    }
}

fn text<'a>(text: Option<&'a Text<'_>>) -> &'a str {
    text.map(|text| &*text.0).unwrap_or_default()
}
