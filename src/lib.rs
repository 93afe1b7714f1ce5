//! Longshore unloads Amazon SQS into MongoDB.
pub mod budget;
pub mod clock;
pub mod config;
pub mod decode;
#[cfg(feature = "dev")]
pub mod dev;
pub mod fields;
pub mod message;
pub mod mongo_manager;
pub mod queue;
pub mod route;
pub mod store;
pub mod time;
pub mod version;
