//! What is found out about groups of dead letters.

use crate::message::Reason;

use super::signal::Signal;
use crate::telemetry::counters::Counters;
use crate::telemetry::folds::Kind;
use crate::telemetry::recent::Recent;

/// A group of dead letters is new: no older letter of it is kept.
pub struct GroupNew<'a> {
    /// Its id.
    pub group: &'a str,
    pub reason: Reason,
    /// Where in the body, with `[]` for any item.
    pub place: Option<&'a str>,
    /// The message of its first letter.
    pub message_id: &'a str,
}

impl Signal for GroupNew<'_> {
    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::warn!(reason = kind.code, more, "new groups of dead letters");
        };
        Some(Kind { what: "group new", code: self.reason.code(), place: None, tell })
    }

    fn log(&self) {
        tracing::warn!(
            group = self.group,
            reason = self.reason.code(),
            place = self.place,
            message.id = self.message_id,
            "a new group of dead letters: `longshore dead-letters list --group {}` lists them",
            self.group
        );
    }
}

/// Nobody asks whether the group of a letter is new: too many others wait to be asked about.
pub struct GroupUnasked {
    pub reason: Reason,
}

impl Signal for GroupUnasked {
    fn count(&self, counters: &Counters) {
        counters.dead_letter_groups_unasked_total.add(1);
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::warn!(
                reason = kind.code,
                more,
                "dead letters of groups that may be new and were not looked up"
            );
        };
        Some(Kind { what: "group unasked", code: self.reason.code(), place: None, tell })
    }

    fn log(&self) {
        tracing::warn!(
            reason = self.reason.code(),
            "a group of dead letters may be new and was not looked up, because too many others wait: `longshore dead-letters groups` \
             shows all"
        );
    }
}

/// The database does not say which groups of dead letters are new.
pub struct GroupsNotAsked<'a> {
    pub cause: &'a str,
}

impl Signal for GroupsNotAsked<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("new groups of dead letters not looked for", self.cause);
    }

    fn log(&self) {
        tracing::warn!(
            cause = self.cause,
            "new groups of dead letters cannot be looked for, trying again"
        );
    }
}
