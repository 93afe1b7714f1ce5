//! One integration binary: real MongoDB, real SQS protocol, tidiness.

mod mongo_manager;
mod mongod;
mod sqs;
mod store;
mod support;
mod tidy;
mod worker;
