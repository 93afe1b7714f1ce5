//! One integration binary: real MongoDB, real SQS protocol, tidiness.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod chaos;
mod cli;
mod decoding;
mod fault_proxy;
mod mongo_manager;
mod mongod;
mod reasons;
mod schema;
mod seen;
mod simulation;
mod sqs;
mod store;
mod support;
mod tidy;
mod transports;
mod worker;
