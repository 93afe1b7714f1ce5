//! One integration binary: real MongoDB, real SQS protocol, tidiness.

mod mongo_manager;
mod sqs;
mod store;
mod support;
mod tidy;
mod worker;
