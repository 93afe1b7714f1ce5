//! Longshore unloads Amazon SQS into MongoDB.
pub mod brake;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dead_letter;
pub mod decode;
#[cfg(feature = "dev")]
pub mod dev;
#[cfg(test)]
mod fakes;
pub mod fields;
pub mod gate;
pub mod held;
pub mod lane;
pub mod message;
pub mod mongo_manager;
pub mod pipeline;
pub mod queue;
pub mod retry;
pub mod route;
pub mod settle;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod version;
pub mod worker;
