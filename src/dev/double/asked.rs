//! What a request to the test double asks for.

use std::time::Duration;

use crate::admin::query::values;
use crate::harmless::harmless;

/// Messages that may be waited for.
const COUNT_MAX: u64 = 1_000_000;

/// How long is waited, unless the request says otherwise, and at most.
const WAIT_DEFAULT: u64 = 10;
pub(super) const WAIT_MAX: u64 = 300;

/// Documents of a collection, or refused messages, that one answer tells.
const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;

/// `/wait`: so many messages, and how long to wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub count: u64,
    pub within: Duration,
}

/// `/reset`: how long to wait until nothing is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    pub within: Duration,
}

/// `/good`: of which collection, all where there is none; and how many of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Good {
    pub collection: Option<String>,
    pub limit: u64,
}

/// `/bad`: how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bad {
    pub limit: u64,
}

impl Wait {
    /// # Errors
    /// What is wrong with which parameter, as of all here.
    pub fn read(query: &str) -> Result<Self, String> {
        let [count, within] = values(query, ["count", "timeout"])?;
        let Some(count) = count else {
            return Err("count: must be given: how many messages to wait for, as in /wait?count=3"
                .to_owned());
        };
        let count = number("count", &count, "messages", 0, COUNT_MAX)?;
        Ok(Self { count, within: timeout(within)? })
    }
}

impl Reset {
    pub fn read(query: &str) -> Result<Self, String> {
        let [within] = values(query, ["timeout"])?;
        Ok(Self { within: timeout(within)? })
    }
}

impl Good {
    pub fn read(query: &str) -> Result<Self, String> {
        let [collection, most] = values(query, ["collection", "limit"])?;
        Ok(Self { collection, limit: limit(most, "documents")? })
    }
}

impl Bad {
    pub fn read(query: &str) -> Result<Self, String> {
        let [most] = values(query, ["limit"])?;
        Ok(Self { limit: limit(most, "messages")? })
    }
}

fn timeout(text: Option<String>) -> Result<Duration, String> {
    let seconds = match text {
        Some(text) => number("timeout", &text, "seconds", 0, WAIT_MAX)?,
        None => WAIT_DEFAULT,
    };
    Ok(Duration::from_secs(seconds))
}

fn limit(text: Option<String>, what: &str) -> Result<u64, String> {
    match text {
        Some(text) => number("limit", &text, what, 1, LIMIT_MAX),
        None => Ok(LIMIT_DEFAULT),
    }
}

fn number(name: &str, text: &str, what: &str, least: u64, most: u64) -> Result<u64, String> {
    // A number alone: `parse` would take a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && (least..=most).contains(number)).ok_or_else(
        || {
            let text = harmless(text);
            format!("{name}: must be a whole number of {what} from {least} to {most}, not {text}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_its_default() {
        let within = Duration::from_secs(10);
        assert_eq!(Wait::read("count=3"), Ok(Wait { count: 3, within }));
        assert_eq!(Reset::read(""), Ok(Reset { within }));
        assert_eq!(Good::read(""), Ok(Good { collection: None, limit: 100 }));
        assert_eq!(Bad::read("limit=1000"), Ok(Bad { limit: 1_000 }));
        let within = Duration::from_mins(5);
        assert_eq!(Wait::read("timeout=300&count=0"), Ok(Wait { count: 0, within }));
        let collection = Some("a b".to_owned());
        assert_eq!(Good::read("collection=a+b&limit=1"), Ok(Good { collection, limit: 1 }));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_bounds() {
        for query in ["", "timeout=1", "count="] {
            let problem = Wait::read(query).expect_err(query);
            assert!(problem.starts_with("count: must be given"), "{query}: {problem}");
        }
        for count in ["x", "-1", "+1", "1.5", "1000001", "99999999999999999999999", " 1"] {
            let problem = Wait::read(&format!("count={count}")).expect_err(count);
            let told = "count: must be a whole number of messages from 0 to 1000000, not ";
            assert!(problem.starts_with(told), "{count}: {problem}");
        }
        for (problem, told) in [
            (Wait::read("count=1&timeout=301").map(|_| ()), "timeout: must be a whole number of"),
            (Wait::read("count=1&count=2").map(|_| ()), "count: must be given once"),
            (Wait::read("n=1").map(|_| ()), "n: there is no such parameter: one of count, timeout"),
            (Reset::read("timeout=soon").map(|_| ()), "timeout: must be a whole number of"),
            (
                Good::read("limit=0").map(|_| ()),
                "limit: must be a whole number of documents from 1",
            ),
            (Bad::read("collection=a").map(|_| ()), "collection: there is no such parameter"),
            (Wait::read("count=\u{1b}").map(|_| ()), "count: must be a whole number of messages"),
        ] {
            let problem = problem.expect_err(told);
            assert!(problem.starts_with(told) && !problem.contains('\u{1b}'), "{problem}");
        }
    }
}
