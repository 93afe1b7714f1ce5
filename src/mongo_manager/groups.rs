//! What failed alike, and one letter by its id, asked of the collection of dead letters: by commands and for
//! the status page.

use bson::Document;

use crate::dead_letter::group::{self, Alike, Group};
use crate::dead_letter::search::{self, Search};

use super::documents::Documents;
use super::error::MongoManagerError;

/// Why an id names no group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGroup {
    #[error("there is no such group")]
    Unknown,
    /// Somebody has seen to that: see [`Alike::id`].
    #[error("two groups have this id")]
    Ambiguous,
    #[error(transparent)]
    Unasked(#[from] MongoManagerError),
}

impl Documents {
    /// The records with this `_id`, or of a message with this id, without the fields of `without`: two at most,
    /// the newest.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn letters_of(
        &self,
        id: &str,
        without: &[&str],
    ) -> Result<Vec<Document>, MongoManagerError> {
        let found = self.find(search::of_id(id), search::newest_first(), 2, without).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        // No index begins with it, but that of the groups has it.
        self.aggregate(search::of_earlier_id(id, 2, without), Some(group::index())).await
    }

    /// The groups of what `search` finds: `most` of them at most, the one that was added to last first; or
    /// all, in no order.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn groups(
        &self,
        search: &Search,
        most: Option<u32>,
    ) -> Result<Vec<Group>, MongoManagerError> {
        let index = search.is_of_group_index().then(group::index);
        let made = self.aggregate(group::stages(search, most), index).await?;
        Ok(made.iter().filter_map(Group::of).collect())
    }

    /// The groups of what `search` finds, `most` at most, the one that was added to last first; and how many
    /// letters all groups have, also those that are left out.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn groups_with_total(
        &self,
        search: &Search,
        most: u32,
    ) -> Result<(Vec<Group>, u64), MongoManagerError> {
        let index = search.is_of_group_index().then(group::index);
        let made = self.aggregate(group::stages_with_total(search, most), index).await?;
        Ok(made.first().map(group::with_total).unwrap_or_default())
    }

    /// What the letters of the group with this id have in common. No id says that, so it is looked for among
    /// all groups, or those `most` that were added to last.
    ///
    /// # Errors
    /// Where none has it, or two have, or the server cannot be asked.
    pub async fn alike(&self, id: &str, most: Option<u32>) -> Result<Alike, NoGroup> {
        let groups = self.groups(&Search::default().either(), most).await?;
        let mut named =
            groups.into_iter().map(|group| group.alike).filter(|alike| alike.id() == id);
        match (named.next(), named.next()) {
            (Some(alike), None) => Ok(alike),
            (None, _) => Err(NoGroup::Unknown),
            (Some(_), Some(_)) => Err(NoGroup::Ambiguous),
        }
    }
}
