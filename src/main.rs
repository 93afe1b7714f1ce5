//! The allocator and the exit code, and nothing else: see [`longshore::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// In each build, so that what is tested is what is shipped.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    longshore::cli::main()
}
