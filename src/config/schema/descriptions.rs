//! What each key means, read from the comments of `config/longshore.toml`.

use std::collections::BTreeMap;

const DOCUMENTED: &str = include_str!("../../../config/longshore.toml");

#[derive(Default)]
pub(super) struct Descriptions {
    /// By path: of keys and of sections.
    keys: BTreeMap<String, String>,
    /// By the names of the keys of a route.
    of_routes: BTreeMap<String, String>,
}

impl Descriptions {
    pub(super) fn of_the_documented_file() -> Self {
        let mut found = Self::default();
        let mut section = String::new();
        let mut block: Vec<&str> = Vec::new();
        let mut of_route: Option<String> = None;
        for line in DOCUMENTED.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
                found.keep(&section, &mut block);
            } else if let Some(key) = key_of(line) {
                found.keep(&format!("{section}.{key}"), &mut block);
            } else if let Some((name, text)) = line_of_route(line) {
                found.of_routes.insert(name.to_owned(), text.to_owned());
                of_route = Some(name.to_owned());
            } else if let Some(text) = line.strip_prefix(CONTINUED)
                && let Some(description) =
                    of_route.as_ref().and_then(|name| found.of_routes.get_mut(name))
            {
                description.push(' ');
                description.push_str(text.trim());
            } else if let Some(text) =
                line.strip_prefix("# ").filter(|text| !text.starts_with("--"))
            {
                block.push(text);
            } else {
                block.clear();
                of_route = None;
            }
        }
        found
    }

    pub(super) fn of(&self, path: &str) -> Option<&str> {
        self.keys.get(path).map(String::as_str)
    }

    pub(super) fn of_route(&self, key: &str) -> Option<&str> {
        self.of_routes.get(key).map(String::as_str)
    }

    /// The first text that stands above it.
    fn keep(&mut self, path: &str, block: &mut Vec<&str>) {
        if !block.is_empty() {
            self.keys.entry(path.to_owned()).or_insert_with(|| block.join(" "));
        }
        block.clear();
    }
}

/// How far in the texts of a route's keys stand.
const CONTINUED: &str = "#                ";

/// `#key = value` or `# Example: key = value`.
fn key_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?;
    let rest = [" Example: ", " Instead: "]
        .iter()
        .find_map(|marked| rest.strip_prefix(marked))
        .unwrap_or(rest);
    let (key, _) = rest.split_once(" = ")?;
    is_name(key).then_some(key)
}

/// `# name          text`.
fn line_of_route(line: &str) -> Option<(&str, &str)> {
    let (name, text) = line.strip_prefix("# ")?.split_once("  ")?;
    is_name(name).then(|| (name, text.trim()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}
