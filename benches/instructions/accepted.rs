//! What each stage may cost. Another compiler makes other code, so it is named beside the counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

pub const FILE: &str = "benches/instructions/accepted.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// What compiled the code that was counted, as `rustc --version` says.
    pub compiler: String,
    /// Above what was accepted.
    pub tolerance_percent: f64,
    /// Instructions, by stage.
    a_message: BTreeMap<String, u64>,
}

impl Accepted {
    pub fn read() -> Result<Self> {
        let text =
            std::fs::read_to_string(path()).with_context(|| format!("cannot read {FILE}"))?;
        toml::from_str(&text).with_context(|| format!("cannot read {FILE}"))
    }

    /// What was accepted, and by how many per cent `counted` is more.
    #[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
    pub fn change(&self, stage: &str, counted: u64) -> Option<(u64, f64)> {
        let before = *self.a_message.get(stage)?;
        Some((before, (counted as f64 / before as f64 - 1.0) * 100.0))
    }

    /// Whether it costs more than is tolerated. What nobody accepted yet does.
    pub fn is_more(&self, stage: &str, counted: u64) -> bool {
        self.change(stage, counted).is_none_or(|(_, percent)| percent > self.tolerance_percent)
    }

    pub fn accept(&mut self, stage: &str, counted: u64) {
        self.a_message.insert(stage.to_owned(), counted);
    }

    pub fn write(&self) -> Result<()> {
        let mut text = format!(
            "# By `UPDATE=true make instructions`: what each stage costs for a message of the portal's load, in a debug build.\n\ncompiler = {:?}\ntolerance_percent = {:?}\n\n[a_message]\n",
            compiler()?,
            self.tolerance_percent
        );
        for (stage, counted) in &self.a_message {
            writeln!(text, "{stage} = {counted}")?;
        }
        std::fs::write(path(), text).with_context(|| format!("cannot write {FILE}"))
    }
}

/// The one that is here.
pub fn compiler() -> Result<String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let told = Command::new(&rustc).arg("--version").output();
    let told = told.with_context(|| format!("cannot run {rustc}"))?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

fn path() -> String {
    format!("{}/{FILE}", env!("CARGO_MANIFEST_DIR"))
}
