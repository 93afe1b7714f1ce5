//! The whole worker, from a real queue to a real database: what the README promises, seen from
//! outside.

mod attacks;
mod configured_routes;
mod dead_letters;
mod demo;
mod dev;
mod double;
mod dry_run;
mod extended_json;
mod index_watch;
mod interruptions;
mod letter_queue;
mod load;
mod newest;
mod producers;
mod redrive;
mod replay;
mod rights;
mod rust_producer;
mod servers;
mod walk;
mod wrapped;
