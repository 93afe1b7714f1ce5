//! Where a value came from, and the errors that say so.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    /// Line from 1; 0 where the file as a whole is meant.
    File {
        path: PathBuf,
        line: usize,
    },
    /// The variable's name, as it stands in the environment.
    Environment(String),
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As TOML writes it: `queue.wait`, `message.types."com.example.order"`.
    pub key: String,
    /// As TOML writes it, secrets as stars; [`Setting::UNSET`] where there is no value.
    pub value: String,
    pub source: Source,
}

impl Setting {
    /// Stands for the absence of an optional value. No TOML value looks like it.
    pub const UNSET: &str = "unset";
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Empty where a file cannot be read at all.
    pub key: String,
    /// The offending value, secrets as stars. Not there where the key itself is wrong.
    pub value: Option<String>,
    /// What it must be and, where that is known, what to do.
    pub problem: String,
    pub source: Source,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if !self.key.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{} ({})", self.problem, self.source)
    }
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
