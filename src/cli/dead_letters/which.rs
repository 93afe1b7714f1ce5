//! Which dead letters a command is about.

use anyhow::{Result, bail};
use bson::Document;
use clap::Args;
use jiff::Timestamp;

use crate::config::units;
use crate::dead_letter::group::{self, Alike, Group};
use crate::dead_letter::search::{self, Search, Standing};
use crate::message::Reason;
use crate::mongo_manager::{Documents, MongoManagerError};
use crate::time::{self, Time};

use super::shown;

/// All of which everything that is given is true.
#[derive(Debug, Clone, Default, Args)]
pub struct Which {
    /// Only this group, by its id in `groups`
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only this reason
    #[arg(long, value_name = "CODE", value_parser = reason)]
    reason: Option<Reason>,
    /// Only this place of the fault, as `groups` or `list` show it
    #[arg(long, value_name = "PLACE")]
    place: Option<String>,
    /// Only messages of this route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// Only messages of this type, as `groups` or `list` show it
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only messages of this sender, by the id that the queue gives
    #[arg(long, value_name = "SENDER")]
    sender: Option<String>,
    /// Only messages about this user: see `dead_letters.user_fields`
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Dead-lettered then or later: 2026-11-28T10:00:00Z (UTC without an offset), or how long ago: 2h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Dead-lettered before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<i64>,
    /// Only those that were replayed, and were not refused again since
    #[arg(long)]
    replayed: bool,
}

impl Which {
    /// What is to be looked for. Where --replayed does not say it, `standing` says whether those are meant
    /// that were replayed.
    ///
    /// # Errors
    /// Where no group has the id that is given, or the database cannot be asked for it.
    pub async fn search(self, letters: &Documents, standing: Standing) -> Result<Search> {
        let alike = match &self.group {
            Some(id) => Some(group_of(letters, id).await?),
            None => None,
        };
        Ok(Search {
            reason: self.reason,
            place: self.place,
            route: self.route,
            kind: self.kind,
            sender: self.sender,
            user: self.user,
            since_ms: self.since,
            until_ms: self.until,
            alike,
            standing: if self.replayed { Standing::Replayed } else { standing },
        })
    }

    /// Whose letters they are to be, if that is given.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// The groups of what `search` finds: `most` of them at most, the one that was added to last first; or all, in
/// no order.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn groups(
    letters: &Documents,
    search: &Search,
    most: Option<u32>,
) -> Result<Vec<Group>, MongoManagerError> {
    let index = search.is_of_group_index().then(group::index);
    let made = letters.aggregate(group::stages(search, most), index).await?;
    Ok(made.iter().filter_map(Group::of).collect())
}

/// The record with this `_id`, or of a message with this id, without the fields of `without`.
///
/// # Errors
/// Where there is none, or are several; where the database cannot be asked.
pub async fn record(letters: &Documents, id: &str, without: &[&str]) -> Result<Document> {
    let find = async |filter| letters.find(filter, shown::newest(), 2, without).await;
    let mut found = find(search::of_id(id)).await?;
    if found.is_empty() {
        found = find(search::of_earlier_id(id)).await?;
    }
    match &mut found[..] {
        [] => bail!("there is no dead letter {id:?}: `longshore dead-letters list` lists them"),
        [record] => Ok(std::mem::take(record)),
        [one, other, ..] => bail!(
            "several records are of a message {id:?}: give the _id of the record, such as {:?} or {:?}",
            shown::field(one, "_id"),
            shown::field(other, "_id")
        ),
    }
}

async fn group_of(letters: &Documents, id: &str) -> Result<Alike> {
    let all = Search { standing: Standing::Either, ..Search::default() };
    let groups = groups(letters, &all, None).await?;
    let mut named = groups.into_iter().map(|group| group.alike).filter(|alike| alike.id() == id);
    match (named.next(), named.next()) {
        (Some(alike), None) => Ok(alike),
        (None, _) => bail!("there is no group {id:?}: `longshore dead-letters groups` lists them"),
        (Some(_), Some(_)) => bail!(
            "two groups have the id {id}, which somebody has seen to: say which by --reason, --place, --type and --sender"
        ),
    }
}

fn reason(text: &str) -> Result<Reason, String> {
    let known = |reason: &Reason| reason.code() == text;
    Reason::ALL.iter().copied().find(known).ok_or_else(|| {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("there is no such reason: one of {}", codes.join(", "))
    })
}

/// A time, in milliseconds since the epoch, or how long before now. A number alone is a time.
fn moment(text: &str) -> Result<i64, String> {
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    if has_unit && let Some(ago) = units::parse_duration(text) {
        return Ok(Timestamp::now().as_millisecond().saturating_sub(time::millis(ago)));
    }
    time::from_text(text).map(Time::millis).map_err(|_| {
        "give a time such as 2026-11-28T10:00:00Z, or how long ago, such as 2h".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_or_counted_back_from_now() {
        assert_eq!(moment("2026-11-22T10:00:00Z"), Ok(1_795_341_600_000));
        let before = moment("2h").expect("a time");
        let ago = Timestamp::now().as_millisecond() - before;
        assert!((7_200_000..7_260_000).contains(&ago), "{ago}");
        assert_eq!(moment("1795341600"), Ok(1_795_341_600_000), "epoch seconds");
        for text in ["yesterday", "20260901", "2026", "7", ""] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_reason_that_there_is_not_is_answered_with_those_that_there_are() {
        assert_eq!(reason("bad_time"), Ok(Reason::BadTime));
        let told = reason("bad").expect_err("no reason");
        assert!(told.contains("bad_time, "), "{told}");
    }
}
