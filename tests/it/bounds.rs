//! What is bounded, shown on a worker in a process of its own against real servers: its memory by
//! the budget, a drain by its deadline, a hold by nothing but the worker's end.
//!
//! Most have a short form here and a long one, ignored, that `make bounds` runs.

mod hanging;
mod loads;
mod memory;
mod subject;
