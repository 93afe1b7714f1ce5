//! Typed settings, with bounds and reasons. [`load::load`] fills them from the layers and reports
//! every error at once.
//!
//! What a key means, its default, unit and bounds stand in `config/longshore.toml`, which a test
//! holds against this.

mod addresses;
mod collections;
pub(crate) mod connection_options;
pub(crate) mod decimals;
mod envelopes;
mod indexes;
mod ini_file;
mod key_path;
mod kinds;
mod layers;
pub mod left_out;
mod listeners;
mod literal;
pub mod load;
mod members;
mod misspelt;
mod names;
pub(crate) mod nearest;
pub mod print;
mod provenance;
mod reader;
mod routes;
mod rules;
pub mod schema;
mod schema_values;
mod secret;
mod sections;
mod settings;
pub mod shares;
mod suggest;
mod text_file;
mod times;
mod toml_file;
pub(crate) mod units;

pub use load::defaults;
pub use rules::ANOTHER_QUEUE;
pub use secret::Secret;
pub use settings::{AdminConfig, Config, DbConfig, WorkerConfig};
pub(crate) use text_file::read_uri;
