//! A producer on a queue that is no kinder than SQS, under paused time.

mod bounds;
mod checks;
mod delivery;
mod ends;
mod fake;
mod made;
