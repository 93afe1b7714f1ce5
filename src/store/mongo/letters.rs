//! Dead letters: made, or joined with what is there.

use super::command;
use super::fault::{self, Refusal};
use super::{Applied, MongoStore, refused_item};
use crate::message::Insert;
use crate::store::{Collection, ItemOutcome};

impl MongoStore {
    /// Keeps dead letters, each on its own.
    pub(super) async fn keep(
        &self,
        collection: &Collection,
        all: &[&Insert],
    ) -> Result<Applied, Refusal> {
        let mut items = vec![ItemOutcome::Written; all.len()];
        let mut sent = 0;
        while sent < all.len() {
            let batch = command::letters(
                &collection.name,
                &collection.write_concern,
                all[sent..].iter().copied(),
            );
            let first = sent;
            sent += batch.writes;
            let Some(answer) = self.send(collection, batch, &mut items[first..sent]).await? else {
                continue;
            };
            for refused in answer.refused {
                let index = first + refused.index;
                let is_race =
                    refused.code == fault::DUPLICATE_KEY && refused.index_fields == ["_id"];
                items[index] = if is_race {
                    ItemOutcome::Unconfirmed("two made one record at once".to_owned())
                } else {
                    refused_item(refused)
                };
            }
        }
        Ok(Applied { items, stale: 0, unread: None })
    }
}
