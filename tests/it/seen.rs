//! What is seen of a worker from outside: traces by a collector that nobody here wrote, metrics,
//! health and the status page.

mod admin;
pub mod collector;
mod indexes;
mod letters;
mod new_groups;
mod secrets;
mod siege;
mod status;
mod traces;
pub mod web;
