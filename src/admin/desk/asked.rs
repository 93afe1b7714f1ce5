//! What a request wants to know of the dead letters.

use crate::admin::query::values;
use crate::config::units;
use crate::dead_letter::search::Search;
use crate::message::Reason;

/// A question as it was written: two that are written alike share an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Groups(Filters),
    /// The newest letters of one group.
    OfGroup(String, Filters),
    /// One letter, by the id of its record or of its message.
    One(String),
}

/// All of which everything that is given is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    reason: Option<Reason>,
    kind: Option<String>,
    route: Option<String>,
    sender: Option<String>,
    /// As it was written: `2h` is another time at each asking.
    since: Option<String>,
}

impl Default for Asked {
    /// All groups.
    fn default() -> Self {
        Self::Groups(Filters::default())
    }
}

impl Filters {
    /// What that means now.
    pub fn search(&self) -> Search {
        Search {
            reason: self.reason,
            route: self.route.clone(),
            kind: self.kind.clone(),
            sender: self.sender.clone(),
            since_ms: self.since.as_deref().and_then(|since| units::parse_moment(since).ok()),
            ..Search::default()
        }
    }
}

/// The parameters that there are.
const NAMES: [&str; 7] = ["reason", "type", "route", "sender", "since", "group", "id"];

/// Hex digits of a group's id.
const GROUP_DIGITS: usize = 16;

impl Asked {
    /// Reads the query of a request. An empty value is none.
    ///
    /// # Errors
    /// What is wrong with which parameter.
    pub fn read(query: &str) -> Result<Self, String> {
        let [reason, kind, route, sender, since, group, id] = values(query, NAMES)?;
        let reason = reason.map(|code| Reason::named(&code)).transpose();
        let filters = Filters {
            reason: reason.map_err(|problem| format!("reason: {problem}"))?,
            kind,
            route,
            sender,
            since,
        };
        let since = filters.since.as_deref().map(units::parse_moment).transpose();
        since.map_err(|problem| format!("since: {problem}"))?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_group = |id: &String| id.len() == GROUP_DIGITS && id.bytes().all(is_digit);
        match (group, id) {
            (None, None) => Ok(Self::Groups(filters)),
            (Some(group), None) if is_group(&group) => Ok(Self::OfGroup(group, filters)),
            (Some(_), None) => Err(format!("group: must be {GROUP_DIGITS} hex digits")),
            (None, Some(id)) if filters == Filters::default() => Ok(Self::One(id)),
            (_, Some(_)) => Err("id: must be the only parameter".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::query::VALUE_BYTES_MAX;

    #[test]
    fn what_is_asked_is_read_as_forms_write_it() {
        assert_eq!(Asked::read(""), Ok(Asked::Groups(Filters::default())));
        let Ok(Asked::Groups(filters)) = Asked::read(
            "reason=bad_time&type=a+b%26%F0%9F%98%80&route=&since=2026-11-22T10:00:00Z",
        ) else {
            panic!("groups")
        };
        let search = filters.search();
        assert_eq!((search.reason, search.route), (Some(Reason::BadTime), None));
        assert_eq!(search.kind.as_deref(), Some("a b&\u{1f600}"));
        assert_eq!(search.since_ms, Some(1_795_341_600_000));
        let group = "0123456789abcdef".to_owned();
        let filters = Filters { sender: Some("s".to_owned()), ..Filters::default() };
        assert_eq!(
            Asked::read("group=0123456789abcdef&sender=s"),
            Ok(Asked::OfGroup(group, filters))
        );
        assert_eq!(Asked::read("id=arn%3Aq%2Fm-1"), Ok(Asked::One("arn:q/m-1".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_the_name_of_the_parameter() {
        let long = format!("type={}", "a".repeat(VALUE_BYTES_MAX + 1));
        for (query, expected) in [
            ("reason=bad", "reason: there is no such reason: one of bad_json, "),
            ("since=yesterday", "since: give a time such as"),
            ("type=%ff", "type: must be UTF-8"),
            (&long, "type: must have 1024 bytes at most"),
            ("sender=a&sender=b", "sender: must be given once"),
            ("group=0123", "group: must be 16 hex digits"),
            ("group=0123456789ABCDEF", "group: must be 16 hex digits"),
            ("group=0123456789abcde;", "group: must be 16 hex digits"),
            ("id=m&type=a", "id: must be the only parameter"),
            ("id=m&group=0123456789abcdef", "id: must be the only parameter"),
            ("$where=1", "$where: there is no such parameter: one of reason, "),
            ("\u{1b}[2J", "\\u{1b}[2J: there is no such parameter"),
        ] {
            let problem = Asked::read(query).expect_err(query);
            assert!(problem.starts_with(expected), "{query}: {problem}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_query_panics(query in "\\PC{0,80}") {
            let _ = Asked::read(&query);
        }
    }
}
