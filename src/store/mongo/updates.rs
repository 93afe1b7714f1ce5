//! Updates: asked in their short form, and once more where the answer may be that of a race or of
//! another program's value.
//!
//! A duplicate key of an upsert is a race until shown otherwise: two clients make the document of
//! one key at once, and the server refuses the second on whichever unique index it looks at first,
//! that on `_id`, on the key or any other. Asked once more, the document is there, and is changed.

use std::collections::BTreeSet;

use super::command;
use super::conflict::{self, Holder, Holders};
use super::fault::{self, Blame, Refusal};
use super::guard::{Form, Target};
use super::reply::Refused;
use super::{Applied, MongoStore, refused_item};
use crate::message::{Key, Rejection, Update};
use crate::store::{Collection, ItemOutcome, StoreFault};

/// The form of each round. Nearly all updates need the first round alone. The second is for races
/// and for values of other programs, the third for a race that was met in the second.
const ROUNDS: [Form; 4] = [Form::Short, Form::Long, Form::Long, Form::OfServersId];
/// The round for documents whose key another program has changed.
const RENAMED: usize = 3;

/// What became of an update in one round.
enum Tried {
    Done(ItemOutcome),
    /// A unique index has it already.
    Duplicate(Refused),
    /// Refused for what may be a version field that the short form cannot read.
    Unread,
}

/// What became of each in one round, in their order.
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
    /// Applies updates, each in as many rounds as it takes.
    pub(super) async fn update(
        &self,
        collection: &Collection,
        target: &Target<'_>,
        updates: &[&Update],
    ) -> Result<Applied, Refusal> {
        let never_asked = || ItemOutcome::Unconfirmed("not asked".to_owned());
        let mut applied = Applied {
            items: updates.iter().map(|_| never_asked()).collect(),
            stale: 0,
            unread: None,
        };
        let mut rounds: [Vec<usize>; 4] =
            [(0..updates.len()).collect(), Vec::new(), Vec::new(), Vec::new()];
        let (mut unread, mut raced, mut renamed) = (Vec::new(), BTreeSet::new(), 0);
        for (round, form) in ROUNDS.into_iter().enumerate() {
            let pending = std::mem::take(&mut rounds[round]);
            if pending.is_empty() {
                continue;
            }
            let asked: Vec<&Update> = pending.iter().map(|index| updates[*index]).collect();
            let attempt = self.update_in(collection, target, &asked, form).await?;
            applied.stale += attempt.stale;
            let mut duplicates = Vec::new();
            for (index, tried) in pending.into_iter().zip(attempt.items) {
                match tried {
                    Tried::Done(outcome) => applied.items[index] = outcome,
                    Tried::Unread => {
                        unread.push(index);
                        rounds[round + 1].push(index);
                    }
                    // The first one is a race until shown otherwise.
                    Tried::Duplicate(_) if round < RENAMED - 1 && raced.insert(index) => {
                        rounds[round + 1].push(index);
                    }
                    Tried::Duplicate(refused) => duplicates.push((index, refused)),
                }
            }
            let (explained, denied) =
                self.explain(collection, target, updates, duplicates, round).await;
            applied.unread = applied.unread.or(denied);
            for (index, explained) in explained {
                match explained {
                    Explained::Outcome(outcome) => applied.items[index] = outcome,
                    Explained::KeyChanged => {
                        renamed += 1;
                        rounds[RENAMED].push(index);
                    }
                }
            }
        }
        let foreign =
            unread.iter().filter(|index| applied.items[**index] == ItemOutcome::Written).count();
        self.warn_of_foreign_versions(collection, foreign);
        self.warn_of_renamed(collection, target, renamed);
        Ok(applied)
    }

    async fn update_in(
        &self,
        collection: &Collection,
        target: &Target<'_>,
        updates: &[&Update],
        form: Form,
    ) -> Result<Attempt, Refusal> {
        let mut attempt = Attempt { items: Vec::with_capacity(updates.len()), stale: 0 };
        let mut sent = 0;
        while sent < updates.len() {
            let batch = command::update(
                &collection.name,
                &collection.write_concern,
                target,
                form,
                updates[sent..].iter().copied(),
            );
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
                    self.doubted.doubt(collection);
                    Tried::Duplicate(refused)
                } else if form == Form::Short
                    && fault::blame(refused.code, &refused.text) == Blame::Unclear
                {
                    Tried::Unread
                } else {
                    Tried::Done(refused_item(refused))
                };
            }
        }
        Ok(attempt)
    }

    /// Duplicate keys that came twice: what each is, by its index of `updates`. And why that could
    /// not be read, where a right is missing.
    async fn explain(
        &self,
        collection: &Collection,
        target: &Target<'_>,
        updates: &[&Update],
        duplicates: Vec<(usize, Refused)>,
        round: usize,
    ) -> (Vec<(usize, Explained)>, Option<StoreFault>) {
        let is_of_key =
            |refused: &Refused| refused.index_fields == [target.key] && !refused.index_folds;
        let is_looked_up =
            |refused: &Refused| is_of_key(refused) || refused.index_fields == ["_id"];
        // `run` starts on no such collection, so it was made anew with this collation: which of two
        // keys came first is no fault of the other.
        let is_folded = |refused: &Refused| target.key == "_id" && refused.index_folds;
        let folded = || {
            Explained::Outcome(ItemOutcome::Unconfirmed(format!(
                "the default collation of {} takes this _id for another one's",
                collection.name
            )))
        };
        let (looked_up, others): (Vec<_>, Vec<_>) = duplicates
            .into_iter()
            .partition(|(_, refused)| is_looked_up(refused) && !is_folded(refused));
        let mut explained: Vec<_> = others
            .into_iter()
            .map(|(index, refused)| {
                let is_folded = is_folded(&refused);
                let refused = Explained::Outcome(refused_item(refused));
                (index, if is_folded { folded() } else { refused })
            })
            .collect();
        if looked_up.is_empty() {
            return (explained, None);
        }
        let keys: Vec<&Key> = looked_up.iter().map(|(index, _)| &updates[*index].key).collect();
        let reply =
            self.call(collection, conflict::find_keys(&collection.name, target.key, &keys)).await;
        let holders = match &reply {
            Ok(reply) => conflict::documents(reply)
                .map(|found| Holders::of(&found, target.key))
                .ok_or("the reply to a find is not of the documented form"),
            Err(refusal) => Err(refusal.fault.text.as_str()),
        };
        for (index, refused) in looked_up {
            let what = match &holders {
                Ok(holders) => explain_one(
                    collection,
                    target,
                    holders.holder(&updates[index].key),
                    is_of_key(&refused),
                    round,
                ),
                Err(text) => Explained::Outcome(ItemOutcome::Unconfirmed((*text).to_owned())),
            };
            explained.push((index, what));
        }
        (explained, reply.err().and_then(fault::unread))
    }

    fn warn_of_foreign_versions(&self, collection: &Collection, documents: usize) {
        if documents > 0 {
            tracing::warn!(
                db.name = self.database().name(),
                db.collection = %collection.name,
                documents,
                "version field {} holds something else than a date of the years 2000 to 2100: the worker reads it as in a message, and where that fails it counts as the oldest",
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

fn explain_one(
    collection: &Collection,
    target: &Target<'_>,
    holder: Holder,
    is_of_key: bool,
    round: usize,
) -> Explained {
    let (name, key) = (&collection.name, target.key);
    let rejection = |text: String| Rejection::by_server(text, Some(fault::DUPLICATE_KEY));
    Explained::Outcome(match holder {
        Holder::InsideArray => {
            let text = format!(
                "a document of {name} holds this {key} inside an array: make it a single value"
            );
            ItemOutcome::Rejected(rejection(text))
        }
        Holder::Nobody if is_of_key || key == "_id" => {
            let text = format!(
                "the unique index on {key} of {name} has this key, but no document with it is found"
            );
            ItemOutcome::Doubtful(rejection(text))
        }
        Holder::Nobody if round < RENAMED => return Explained::KeyChanged,
        Holder::Nobody | Holder::Document => {
            ItemOutcome::Unconfirmed("lost two races between upserts of one key".to_owned())
        }
    })
}
