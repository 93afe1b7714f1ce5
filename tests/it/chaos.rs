//! Real faults on real servers, in the middle of a load: databases that die, freeze, fill up and
//! lock out, workers that are killed, queues that fail. After each, the promises are held against
//! what is in the database and in the queue.
//!
//! Each fault is a short test. [`length`] repeats them at random for as long as one likes: `make
//! chaos MINUTES=10`.

mod check;
mod database;
mod length;
mod load;
mod producer;
mod queue;
mod queue_held;
mod queue_outage;
mod relay;
mod replica_set;
mod table;
mod workers;
mod world;
