//! Asks at the terminal whether something is meant.

use std::io::{self, IsTerminal, Write};

use anyhow::{Result, bail};

/// # Errors
/// Where nobody is there to be asked.
pub fn check() -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!(
            "standard input is not a terminal, so nobody can answer: give --yes to go on without asking"
        );
    }
    Ok(())
}

/// Asks beside what goes to standard output.
///
/// # Errors
/// Where the terminal is gone.
pub fn is_meant(question: &str) -> io::Result<bool> {
    let mut answer = String::new();
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
