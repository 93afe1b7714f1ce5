//! Longshore unloads Amazon SQS into MongoDB: nothing lost, nothing doubled, in any order.
//!
//! # The way of a message
//!
//! ```text
//! SQS --receive--> decode --> route --> lane (one per collection) --> store --> settle --delete--> SQS
//!                     |          |                                     |
//!                     +----------+------ rejected, with a reason ------+--> dead letter --> settle
//! ```
//!
//! 1. [`queue::pollers`] receive, as many as there is room for in the [`budget`], while the
//!    [`gate`] is open. Each message is owned by one [`message::Receipt`]
//!    from here on, and [`held`] until it is settled.
//! 2. [`decode`] makes a record of the body, [`route`] makes a write of the record. Both are pure.
//! 3. A [`lane`] writes what waits for its collection as soon as a writer is free, joining updates
//!    of one key ([`version`]). The [`store`] says of each write what became of it; [`retry`] and
//!    the gate decide about asking again.
//! 4. [`settle`] deletes what is durable and gives back the rest; what is rejected becomes a
//!    [`dead_letter`] first, and a [`flood`] of that is told. Meanwhile [`queue::visibility`] keeps what is held hidden from other
//!    receivers.
//!
//! [`pipeline`] joins these stages and knows neither SQS nor MongoDB; [`worker`] gives it both.
//!
//! # The way into the queue
//!
//! A [`Producer`] sends what a worker reads; [`producer`] has an example.
//!
//! # What holds everywhere
//!
//! - A message is deleted only after its write, or its dead letter, is acknowledged at the
//!   configured write concern.
//! - A receipt is settled exactly once.
//! - Ids and versions come from the message alone, so that deciding again decides the same.
//! - What is the message's fault costs that message; what is the store's fault costs time.
//!
//! `ARCHITECTURE.md` has the reasons, and what is absent on purpose.

pub mod admin;
mod atomic_file;
pub mod bson;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dead_letter;
pub mod decode;
#[cfg(feature = "dev")]
pub mod dev;
pub mod extended_json;
pub mod flood;
pub mod flow;
pub mod gate;
pub mod gauges;
pub mod harmless;
pub mod held;
mod hex;
pub mod lane;
pub mod message;
pub mod mongo_manager;
pub mod pipeline;
pub mod producer;
pub mod queue;
mod redact;
pub mod retry;
pub mod route;
pub mod settle;
pub mod stop;
pub mod store;
pub mod telemetry;
mod this_machine;
pub mod time;
pub mod version;
pub mod worker;

pub use producer::{
    BadMessage, Cache, Checks, Compression, ConnectError, Counts, Event, Key, Message, NotSent,
    Producer, ProducerConfig, SendError, SendReceipt, Sent, Session, TrySendError, Undrained,
};
