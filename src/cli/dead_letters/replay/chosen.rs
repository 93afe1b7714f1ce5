//! Which letters are replayed: those that were there when the command began, the oldest first.

use std::slice::Chunks;

use anyhow::{Result, bail};
use bson::{Bson, Document, doc};

use super::super::shown;
use super::super::which::{self, Which};
use crate::dead_letter::search::{Search, Standing};
use crate::mongo_manager::Documents;

/// Bytes of them are in memory only while they are sent.
pub(super) struct Chosen {
    ids: Vec<Bson>,
    search: Search,
}

impl Chosen {
    /// # Errors
    /// Where nothing says which, one of the ids is of no letter, or the database cannot be asked.
    pub(super) async fn of(
        letters: &Documents,
        named: Vec<String>,
        which: Which,
        all: bool,
    ) -> Result<Self> {
        let mut search = which.search(letters, Standing::Stands).await?;
        let is_filtered = !search.is_for_all();
        let given = usize::from(!named.is_empty()) + usize::from(all) + usize::from(is_filtered);
        // Those that were replayed may be sent once more by their ids.
        let replayed = Search { standing: Standing::Replayed, ..Search::default() };
        let by_id = !named.is_empty() && search == replayed;
        match given {
            0 => bail!(
                "say which dead letters are to be replayed, by ids, a group, a filter or --all"
            ),
            1 => {}
            _ if by_id => {}
            _ => bail!("ids, a filter and --all do not go together: leave the others out"),
        }
        // What is refused again meanwhile would be found again and again.
        search.before_now();
        let ids = if named.is_empty() {
            letters.ids(search.filter(), oldest()).await?
        } else {
            let mut ids: Vec<Bson> = Vec::with_capacity(named.len());
            for id in named {
                let record = which::record(letters, &id, &["body", "attributes"]).await?;
                let id = record.get("_id").cloned().unwrap_or(Bson::Null);
                if search.standing == Standing::Stands
                    && record.get_bool("stands").is_ok_and(|stands| !stands)
                {
                    bail!(
                        "the dead letter {} was replayed: --replayed sends it once more",
                        shown::field(&record, "_id")
                    );
                }
                // It may be named twice, also by two of its messages.
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            search.until_ms = None;
            ids
        };
        Ok(Self { ids, search })
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn chunks(&self, letters: usize) -> Chunks<'_, Bson> {
        self.ids.chunks(letters)
    }

    /// Those of these that are still meant, in the same order: others may work on them too.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub(super) async fn read(&self, letters: &Documents, ids: &[Bson]) -> Result<Vec<Document>> {
        let mut filter = self.search.filter();
        filter.insert("_id", doc! { "$in": ids });
        let most = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        Ok(letters.find(filter, oldest(), most, &[]).await?)
    }
}

/// As they were sent, as far as their times say so: of a message group of a FIFO queue in its order.
fn oldest() -> Document {
    doc! { "origin_time": 1, "origin_sequence": 1, "_id": 1 }
}
