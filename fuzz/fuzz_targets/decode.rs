//! Any bytes as a body: JSON to BSON, held against the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longshore_fuzz::checks::body(bytes));
