//! What a check found, a line each.

use crate::cli::output::{Output, print};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// Nothing to do, but to know.
    Note,
    /// The worker runs, and this will hurt.
    Warn,
    /// The worker does not run, or loses what it should not.
    Fail,
}

impl Status {
    /// As people read it: what failed stands out without colours.
    fn title(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub status: Status,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// What is there and, unless it is fine, what to do.
    pub text: String,
}

/// In the order of the looking.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(Status::Ok, check, text);
    }

    pub(super) fn note(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(Status::Note, check, text);
    }

    pub(super) fn warn(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(Status::Warn, check, text);
    }

    pub(super) fn fail(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(Status::Fail, check, text);
    }

    fn push(&mut self, status: Status, check: &'static str, text: impl Into<String>) {
        // A line each, whatever a server said.
        let text = text.into().split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.push(Finding { status, check, text });
    }

    pub(super) fn extend(&mut self, other: Findings) {
        self.0.extend(other.0);
    }

    pub(super) fn failed(&self) -> bool {
        self.0.iter().any(|finding| finding.status == Status::Fail)
    }

    pub(super) fn print(&self, output: Output) {
        let width = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for Finding { status, check, text } in &self.0 {
            output.line(
                || format!("{:<4}  {check:<width$}  {text}", status.title()),
                || serde_json::json!({"status": status.title().to_lowercase(), "check": check, "text": text}),
            );
        }
        if output == Output::People {
            print(&self.sum());
        }
    }

    /// The last line, which people see without scrolling back.
    fn sum(&self) -> String {
        let count = |status| self.0.iter().filter(|finding| finding.status == status).count();
        match (count(Status::Fail), count(Status::Warn)) {
            (0, 0) => "All is well.".to_owned(),
            (0, warn) => format!("Nothing failed; see to what begins with warn ({warn})."),
            (fail, warn) => {
                format!("See to what begins with FAIL ({fail}) and with warn ({warn}).")
            }
        }
    }

    /// Status and text of each finding of a check.
    #[cfg(test)]
    pub(super) fn of(&self, check: &str) -> Vec<(Status, &str)> {
        self.0
            .iter()
            .filter(|finding| finding.check == check)
            .map(|finding| (finding.status, finding.text.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_fails() {
        let mut findings = Findings::default();
        findings.ok("a", "fine");
        findings.note("a", "by the way");
        assert_eq!(findings.sum(), "All is well.");
        findings.warn("a", "mind this");
        assert!(!findings.failed());
        assert_eq!(findings.sum(), "Nothing failed; see to what begins with warn (1).");
        let mut other = Findings::default();
        other.fail("b", "do this");
        findings.extend(other);
        assert!(findings.failed());
        assert_eq!(findings.sum(), "See to what begins with FAIL (1) and with warn (1).");
    }

    #[test]
    fn a_finding_is_one_line_whatever_a_server_said() {
        let mut findings = Findings::default();
        findings.fail("a", "first\nsecond\r\n third");
        assert_eq!(findings.of("a"), [(Status::Fail, "first second third")]);
    }
}
