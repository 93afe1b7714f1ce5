//! What each stage may cost. Another compiler makes other code, and another processor or libc lets
//! libraries take other ways through theirs, so all are named beside the counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

pub const FILE: &str = "benches/instructions/accepted.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// What the code was made and counted by.
    pub by: Vec<String>,
    /// More or less than what was accepted.
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

    /// Whether it costs as much as was accepted. What nobody accepted yet does not.
    pub fn is_held(&self, stage: &str, counted: u64) -> bool {
        let is_within = |(_, percent): (u64, f64)| percent.abs() <= self.tolerance_percent;
        self.change(stage, counted).is_some_and(is_within)
    }

    pub fn accept(&mut self, stage: String, counted: u64) {
        self.a_message.insert(stage, counted);
    }

    pub fn write(&self) -> Result<()> {
        let mut text = format!(
            "# By `UPDATE=1 make instructions`: what each stage costs for a message of the portal's load, in a debug build.\n\nby = {:?}\ntolerance_percent = {:?}\n\n[a_message]\n",
            by()?,
            self.tolerance_percent
        );
        for (stage, counted) in &self.a_message {
            writeln!(text, "{stage} = {counted}")?;
        }
        std::fs::write(path(), text).with_context(|| format!("cannot write {FILE}"))
    }
}

/// What is here: compiler and target, valgrind, libc, and what of the processor's valgrind knows and
/// libraries choose by.
pub fn by() -> Result<Vec<String>> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = says(&rustc, &["-vV"])?;
    let is_told = |line: &&str| line.starts_with("release: ") || line.starts_with("host: ");
    let mut by: Vec<_> = compiler.lines().filter(is_told).map(str::to_owned).collect();
    by.push(says("valgrind", &["--version"])?.trim().to_owned());
    // Its version stands last, and what a distribution calls it before that.
    let libc = says("ldd", &["--version"])?;
    let libc = libc.lines().next().and_then(|line| line.rsplit(' ').next());
    by.extend(libc.map(|version| format!("libc {version}")));
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = told.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let is_known = |flag: &&str| ["sse4_2", "avx", "avx2", "bmi2"].contains(flag);
    by.extend(flags.split(' ').filter(is_known).map(str::to_owned));
    Ok(by)
}

fn says(program: &str, arguments: &[&str]) -> Result<String> {
    let told = Command::new(program).args(arguments).output();
    let told = told.with_context(|| format!("cannot run {program}"))?;
    ensure!(told.status.success(), "{program} {} failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&told.stdout).into_owned())
}

fn path() -> String {
    format!("{}/{FILE}", env!("CARGO_MANIFEST_DIR"))
}
