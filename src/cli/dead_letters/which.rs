//! Which dead letters a command is about.

use anyhow::{Result, anyhow, bail};
use bson::Document;
use clap::Args;

use crate::config::units;
use crate::dead_letter::group::Alike;
use crate::dead_letter::search::{Search, Standing};
use crate::message::Reason;
use crate::mongo_manager::{Documents, NoGroup};

use super::shown;

/// All of which everything that is given is true.
#[derive(Debug, Clone, Default, Args)]
pub struct Which {
    /// Only the letters of this group, by its id in `groups`
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only letters with this reason
    #[arg(long, value_name = "CODE", value_parser = Reason::named)]
    reason: Option<Reason>,
    /// Only letters with the fault at this place, as `groups` or `list` show it
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
    /// Only messages rejected at this time or later: 2026-11-28T10:00:00Z (UTC without an offset), or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = units::parse_moment)]
    since: Option<i64>,
    /// Only messages rejected before this time
    #[arg(long, value_name = "TIME", value_parser = units::parse_moment)]
    until: Option<i64>,
    /// Only letters that were replayed, and were not rejected again since
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

/// The record with this `_id`, or of a message with this id, without the fields of `without`.
///
/// # Errors
/// Where there is none, or are several; where the database cannot be asked.
pub async fn record(letters: &Documents, id: &str, without: &[&str]) -> Result<Document> {
    match &mut letters.letters_of(id, without).await?[..] {
        [] => bail!("there is no dead letter {id:?}: `longshore dead-letters list` lists them"),
        [record] => Ok(std::mem::take(record)),
        [one, other, ..] => bail!(
            "message {id:?} has several dead letters: give the _id of one record, such as {:?} or {:?}",
            shown::field(one, "_id"),
            shown::field(other, "_id")
        ),
    }
}

async fn group_of(letters: &Documents, id: &str) -> Result<Alike> {
    letters.alike(id, None).await.map_err(|error| match error {
        NoGroup::Unknown => {
            anyhow!("there is no group {id:?}: `longshore dead-letters groups` lists them")
        }
        NoGroup::Ambiguous => anyhow!(
            "two groups have the id {id}: choose one by --reason, --place, --type and --sender"
        ),
        NoGroup::Unasked(error) => error.into(),
    })
}
