//! Any bytes as a message with attributes: unpacking, envelopes, type, origin, route.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longshore_fuzz::checks::message(bytes));
