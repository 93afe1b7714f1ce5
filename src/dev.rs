//! Development parts, behind the feature `dev`: a queue and a database on this machine, and a load
//! to try the worker with.

pub mod double;
pub mod local;
pub mod mongod;
pub mod portal;
pub mod ports;
pub mod sqs;
pub mod verify;
pub mod worker_thread;
