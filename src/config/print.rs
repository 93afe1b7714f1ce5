//! The configuration in force, as text that says where each value came from.

use std::fmt::Write as _;

use super::load::Loaded;
use super::provenance::Setting;

/// Wider values push their source to the right alone.
const SOURCE_COLUMN_MAX: usize = 60;

/// Valid TOML, a key a line, with its source behind it; without the stars of secrets it would load
/// to the same. What is unset or ignored is a comment.
#[must_use]
pub fn text(loaded: &Loaded) -> String {
    let lines: Vec<(String, String)> = loaded
        .effective
        .iter()
        .map(|setting| (line(setting), setting.source.to_string()))
        .collect();
    let fits = |(line, _): &(String, String)| {
        Some(line.chars().count()).filter(|width| *width <= SOURCE_COLUMN_MAX)
    };
    let width = lines.iter().filter_map(fits).max().unwrap_or(0);
    let mut text = String::new();
    for (line, source) in lines {
        let _ = writeln!(text, "{line:width$}  # {source}");
    }
    for (key, source) in &loaded.ignored {
        let _ = writeln!(text, "# {key} means nothing here  # {source}");
    }
    text
}

fn line(setting: &Setting) -> String {
    if setting.value == Setting::UNSET {
        format!("# {} is unset", setting.key)
    } else {
        format!("{} = {}", setting.key, setting.value)
    }
}
