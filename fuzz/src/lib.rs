//! What the fuzz targets check: the same files that `make test` runs on the corpus and on mutations
//! of it.

#[path = "../../tests/it/decoding/checks.rs"]
pub mod checks;
#[path = "../../tests/it/decoding/reader.rs"]
mod reader;
#[path = "../../tests/it/decoding/reference.rs"]
mod reference;
