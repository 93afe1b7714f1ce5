//! The exit code, and nothing else: see [`longshore::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    longshore::cli::main()
}
