//! What a peer made wrong of a load. Longshore gets no figures where it did anything wrong.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::Result;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use longshore::dev::portal::Expected;
use mongodb::Database;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, Default)]
pub struct Wrong {
    /// Events, sessions and cache entries that are not there, and broken messages that nobody kept.
    pub lost: usize,
    /// Documents of an event or a key that there is already one of, or that nobody sent.
    pub doubled: usize,
    /// Sessions and cache entries none of whose documents is at the newest state.
    pub stale: usize,
}

impl Wrong {
    pub async fn of(database: &Database, expected: &Expected) -> Result<Self> {
        let mut wrong = Self::default();
        let events = expected.events.iter().map(|id| (id.clone(), None));
        wrong.look(database, "events", &["_id", "id"], "", events.collect()).await?;
        let newest = |(step, key): (i64, String)| (key, Some(step));
        let sessions = expected.sessions.iter().map(|(id, (_, step))| newest((*step, id.clone())));
        wrong.look(database, "sessions", &["session_id"], "step", sessions.collect()).await?;
        let cache =
            expected.cache.iter().map(|(id, (_, visits))| newest((*visits, id.to_string())));
        wrong.look(database, "user_cache", &["user_id"], "visits", cache.collect()).await?;
        let broken: u64 = expected.dead_letters.values().sum();
        let kept = database.collection::<Document>("dead_letters").count_documents(doc! {}).await?;
        wrong.lost += usize::try_from(broken.saturating_sub(kept))?;
        Ok(wrong)
    }

    /// One collection, of which each document has its key in the first of the fields that it was
    /// expected under. Where the newest state is known, its data counts to that.
    async fn look(
        &mut self,
        database: &Database,
        collection: &str,
        fields: &[&str],
        counter: &str,
        mut expected: BTreeMap<String, Option<i64>>,
    ) -> Result<()> {
        let mut seen = BTreeMap::new();
        let mut documents = database.collection::<Document>(collection).find(doc! {}).await?;
        while let Some(document) = documents.try_next().await? {
            let keys = fields.iter().filter_map(|field| document.get(field)).map(text);
            let Some(key) = keys.into_iter().find(|key| expected.contains_key(key)) else {
                self.doubled += 1;
                continue;
            };
            let data = document.get_document("data").ok();
            let count = data.and_then(|data| integer(data.get(counter)?));
            let is_newest = expected[&key].is_none_or(|newest| count == Some(newest));
            match seen.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(is_newest);
                }
                Entry::Occupied(mut entry) => {
                    self.doubled += 1;
                    *entry.get_mut() |= is_newest;
                }
            }
        }
        for (key, is_newest) in seen {
            expected.remove(&key);
            self.stale += usize::from(!is_newest);
        }
        self.lost += expected.len();
        Ok(())
    }

    /// The more of each.
    pub fn or_more(self, other: Self) -> Self {
        Self {
            lost: self.lost.max(other.lost),
            doubled: self.doubled.max(other.doubled),
            stale: self.stale.max(other.stale),
        }
    }

    pub fn json(self) -> Value {
        json!({"lost": self.lost, "doubled": self.doubled, "stale": self.stale})
    }
}

/// As producers write it.
fn text(value: &Bson) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Int64(value) => Some(*value),
        #[expect(clippy::cast_possible_truncation, reason = "counts of messages")]
        Bson::Double(value) => Some(*value as i64),
        _ => None,
    }
}
