//! The three calls that are nearly all calls: receive, delete, change visibility. Each is a type
//! that is written in one pass, and its answer one that is read in one pass, in AWS JSON 1.0.
//!
//! What a message means to a worker is decided here too, for both transports: the AWS SDK's own
//! types become the ones here.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

mod answer;
mod refusal;
mod request;
mod skim;

pub(super) use self::answer::{Message, System, Text, Unread, batch, messages};
pub(super) use self::refusal::{Refusal, refusal};
pub(super) use self::request::{
    ATTRIBUTE_NAMES, CONTENT_TYPE, Call, ChangeVisibility, Delete, Receive, SYSTEM_ATTRIBUTE_NAMES,
};
pub(super) use self::skim::Skim;
