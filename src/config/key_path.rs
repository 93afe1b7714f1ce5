//! The name of a setting as a path: section, subsections, key.

use std::fmt;

/// `routes.order.collection` as its parts. Ordered by parts, so that a section's keys stand
/// together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    pub(crate) fn new(parts: Vec<String>) -> Self {
        Self(parts)
    }

    /// Reads a dotted key as TOML writes it: a part with a dot or a space in it stands in double
    /// quotes. `None` where a part is empty or a quote is open.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
                quoted.split_once('"')?
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                rest.split_at(end)
            };
            if part.is_empty() {
                return None;
            }
            parts.push(part.to_owned());
            if after.is_empty() {
                return Some(Self(parts));
            }
            rest = after.strip_prefix('.')?;
        }
    }

    pub(crate) fn child(&self, part: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.to_owned());
        Self(parts)
    }

    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The parts below `section`, if this is in it.
    pub(crate) fn below(&self, section: &Self) -> Option<&[String]> {
        self.0.strip_prefix(section.0.as_slice()).filter(|rest| !rest.is_empty())
    }
}

/// For names written in the code, of which no part has a dot.
impl From<&str> for KeyPath {
    fn from(dotted: &str) -> Self {
        Self(dotted.split('.').map(str::to_owned).collect())
    }
}

impl From<&KeyPath> for KeyPath {
    fn from(path: &KeyPath) -> Self {
        path.clone()
    }
}

/// As TOML writes it. A part that looks like a URI with a password, put in the wrong place, shows
/// stars.
impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if part.contains('@') {
                f.write_str("\"***\"")?;
            } else if !part.is_empty() && part.bytes().all(bare) {
                f.write_str(part)?;
            } else {
                f.write_str(&super::literal::text(part))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_with_dots_stands_in_quotes_and_comes_back() {
        let path = KeyPath::parse(r#"message.types."com.example.order""#).expect("a path");
        assert_eq!(path.parts(), ["message", "types", "com.example.order"]);
        assert_eq!(path.to_string(), r#"message.types."com.example.order""#);
        for broken in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\""] {
            assert_eq!(KeyPath::parse(broken), None, "{broken}");
        }
    }
}
