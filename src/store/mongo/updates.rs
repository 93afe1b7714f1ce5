//! Updates: asked in their short form, and once more where the answer may be that of a race or of another program's value.
//!
//! A duplicate key of an upsert is a race until shown otherwise: two clients make the document of one key at once, and the
//! server refuses the second on whichever unique index it looks at first, that on `_id`, on the key or any other. Asked once
//! more, the document is there, and is changed.

use super::conflict;
use super::encode;
use super::fault::{self, Blame, Refusal};
use super::guard::{Form, Target};
use super::reply::Refused;
use super::{Applied, MongoStore, refused_item};
use crate::config::Collection;
use crate::message::{Reason, Rejection, Update};
use crate::store::ItemOutcome;

/// What became of an update in one form.
enum Tried {
    Done(ItemOutcome),
    /// A unique index has it already.
    Duplicate(Refused),
    /// Refused for what may be a version field that the short form cannot read.
    Unread,
}

/// What became of each in one form, in their order.
struct Attempt {
    items: Vec<Tried>,
    stale: usize,
}

/// What a duplicate key comes to that was no race.
enum Explained {
    Outcome(ItemOutcome),
    /// The document that was made for this key has another key now.
    KeyChanged,
}

impl MongoStore {
    /// Applies updates, each in as many forms as it takes: nearly all need the first alone.
    pub(super) async fn update(&self, collection: &Collection, target: &Target<'_>, updates: &[&Update]) -> Result<Applied, Refusal> {
        let never_asked = || ItemOutcome::Unconfirmed("not asked".to_owned());
        let mut applied = Applied { items: updates.iter().map(|_| never_asked()).collect(), stale: 0 };
        let mut pending: Vec<usize> = (0..updates.len()).collect();
        let (mut unread, mut renamed) = (Vec::new(), 0);
        for form in [Form::Short, Form::Long, Form::OfServersId] {
            if pending.is_empty() {
                break;
            }
            let asked: Vec<&Update> = pending.iter().map(|index| updates[*index]).collect();
            let attempt = self.update_in(collection, target, &asked, form).await?;
            applied.stale += attempt.stale;
            let mut again = Vec::new();
            for (index, tried) in pending.into_iter().zip(attempt.items) {
                match tried {
                    Tried::Done(outcome) => applied.items[index] = outcome,
                    Tried::Unread => {
                        unread.push(index);
                        again.push(index);
                    }
                    Tried::Duplicate(_) if form == Form::Short => again.push(index),
                    Tried::Duplicate(refused) => match self.explain(collection, target, updates[index], refused, form).await {
                        Explained::Outcome(outcome) => applied.items[index] = outcome,
                        Explained::KeyChanged => {
                            renamed += 1;
                            again.push(index);
                        }
                    },
                }
            }
            pending = again;
        }
        let foreign = unread.iter().filter(|index| applied.items[**index] == ItemOutcome::Written).count();
        self.warn_of_foreign_versions(collection, foreign);
        self.warn_of_renamed(collection, target, renamed);
        Ok(applied)
    }

    async fn update_in(&self, collection: &Collection, target: &Target<'_>, updates: &[&Update], form: Form) -> Result<Attempt, Refusal> {
        let mut attempt = Attempt { items: Vec::with_capacity(updates.len()), stale: 0 };
        let mut sent = 0;
        while sent < updates.len() {
            let batch = encode::update(&collection.name, &collection.write_concern, target, form, updates[sent..].iter().copied());
            let mut items = vec![ItemOutcome::Written; batch.writes];
            sent += batch.writes;
            let answer = self.send(collection, batch, &mut items).await?;
            let first = attempt.items.len();
            attempt.items.extend(items.into_iter().map(Tried::Done));
            let Some(answer) = answer else { continue };
            attempt.stale += answer.unchanged;
            for refused in answer.refused {
                let item = &mut attempt.items[first + refused.index];
                *item = if refused.code == fault::DUPLICATE_KEY {
                    self.doubt_indexes(collection);
                    Tried::Duplicate(refused)
                } else if form == Form::Short && fault::blame(refused.code) == Blame::Unclear {
                    Tried::Unread
                } else {
                    Tried::Done(refused_item(refused))
                };
            }
        }
        Ok(attempt)
    }

    /// A duplicate key that came twice.
    async fn explain(&self, collection: &Collection, target: &Target<'_>, update: &Update, refused: Refused, form: Form) -> Explained {
        let is_of_key = refused.index_fields == [target.key];
        if !is_of_key && refused.index_fields != ["_id"] {
            return Explained::Outcome(refused_item(refused));
        }
        let rejection = |text: String| Rejection { reason: Reason::StoreRejected, text, code: Some(fault::DUPLICATE_KEY) };
        let reply = match self.call(collection, conflict::find_key(&collection.name, target.key, &update.key)).await {
            Ok(reply) => reply,
            Err(refusal) => return Explained::Outcome(ItemOutcome::Unconfirmed(refusal.fault.text)),
        };
        Explained::Outcome(match conflict::documents(&reply).as_deref() {
            Some([holder, ..]) if conflict::is_array(holder, target.key) => {
                let text = format!("a document of {} holds this {} inside an array: make it a single value", collection.name, target.key);
                ItemOutcome::Rejected(rejection(text))
            }
            Some([]) if is_of_key => {
                let text =
                    format!("the unique index on {} of {} has this key, but no document with it is found", target.key, collection.name);
                ItemOutcome::Doubtful(rejection(text))
            }
            Some([]) if form == Form::Long => return Explained::KeyChanged,
            _ => ItemOutcome::Unconfirmed("lost two races between upserts of one key".to_owned()),
        })
    }

    fn warn_of_foreign_versions(&self, collection: &Collection, documents: usize) {
        if documents > 0 {
            tracing::warn!(
                db.name = self.database().name(),
                db.collection = %collection.name,
                documents,
                "version field {} holds something else than a date of the years 2000 to 2100; read as in messages, and as oldest where that fails",
                collection.kind.version_field().unwrap_or_default(),
            );
        }
    }

    fn warn_of_renamed(&self, collection: &Collection, target: &Target<'_>, documents: usize) {
        if documents > 0 {
            tracing::warn!(
                db.name = self.database().name(),
                db.collection = %collection.name,
                documents,
                "another program has changed the {} of documents that longshore made; documents of the old values are made anew, under an _id \
                 of the server's",
                target.key,
            );
        }
    }
}
