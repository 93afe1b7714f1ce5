//! Why a call by this transport has no answer, and the fault that it is.

use std::time::Duration;

use super::way::AnyError;
use crate::queue::QueueFault;
use crate::queue::sqs::address::QueueAddress;
use crate::queue::sqs::calls::Operation;
use crate::queue::sqs::fault::{self, Said};
use crate::queue::sqs::profile::Chosen;
use crate::queue::sqs::wire::Refusal;

/// Why a call has no answer that says what was done.
#[derive(Debug)]
pub enum Failure {
    NoCredentials(String),
    Refused(Refusal),
    /// Nothing has come within this time.
    TimedOut(Duration),
    Unreachable(String),
}

impl Failure {
    pub fn into_fault(self, operation: Operation, address: &QueueAddress) -> QueueFault {
        match self {
            Self::NoCredentials(cause) => fault::no_credentials(&cause, &Chosen::None),
            Self::Refused(refusal) => {
                let said = Said {
                    code: refusal.code.as_deref(),
                    message: refusal.message.as_deref(),
                    status: refusal.status,
                };
                fault::of_answer(said, operation, address)
            }
            Self::TimedOut(limit) => fault::timed_out(limit, operation, address),
            Self::Unreachable(cause) => fault::unreachable(&cause, operation, address),
        }
    }
}

impl From<AnyError> for Failure {
    fn from(error: AnyError) -> Self {
        Self::Unreachable(fault::chain(Some(error.as_ref())))
    }
}
