//! Decoding, held against a reference that shares no code with it.

mod checks;
mod corpus;
mod forms;
mod generator;
mod json;
mod reader;
mod reference;
