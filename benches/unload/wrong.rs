//! What a peer made wrong of a load. Longshore gets no figures where it did anything wrong.

use std::collections::BTreeMap;

use anyhow::Result;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use longshore::dev::portal::Expected;
use mongodb::Database;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, Default)]
pub struct Wrong {
    /// Events, sessions and cache entries that are not there.
    pub lost: usize,
    /// Documents of an event or a key that there is already one of.
    pub doubled: usize,
    /// Sessions and cache entries that are not at their newest state.
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
                continue;
            };
            let data = document.get_document("data").ok();
            let count = data.and_then(|data| integer(data.get(counter)?));
            if seen.insert(key, count).is_some() {
                self.doubled += 1;
            }
        }
        for (key, count) in seen {
            let newest = expected.remove(&key).flatten();
            self.stale += usize::from(newest.is_some() && newest != count);
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
