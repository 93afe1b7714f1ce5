//! What the tests share: servers that are started once, and left in no doubt.

pub mod mongod;
pub mod sqs;
