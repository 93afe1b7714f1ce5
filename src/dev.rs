//! Parts for development: what `longshore dev`, the demo, benchmarks and tests run against. Not in the image.

pub mod sqs;
