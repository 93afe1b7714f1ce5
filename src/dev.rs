//! Development parts, behind the feature `dev`: what `longshore dev`, the demo and the tests need beside the worker.

pub mod mongod;
