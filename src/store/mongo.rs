//! The store that is MongoDB: server commands, encoded here, their replies read item by item.
//!
//! `insert` and `update` go through the driver's `run_raw_command`, unordered and with an explicit write concern, as every
//! MongoDB from 4.4 on takes them. The driver does not retry these; asking again is the caller's, and safe.

mod conflict;
mod connection;
mod doubts;
mod encode;
mod fault;
mod guard;
pub mod indexes;
mod probe;
mod redelivery;
mod reply;
mod selection;

use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use mongodb::Database;
use mongodb::error::ErrorKind;

use self::connection::{Anew, Connection, Current};
use self::doubts::Doubts;
use self::encode::{Batch, COMMAND_BYTES_MAX, SINGLE_BYTES_MAX};
use self::fault::{Blame, Refusal, unavailable};
use self::guard::{Form, Target};
use self::reply::Refused;
use crate::config::Collection;
use crate::message::{Insert, Reason, Rejection, Update, Write};
use crate::store::{ItemOutcome, Store, StoreFault, StoreFaultKind, WriteOutcome};

/// What a call may take beyond choosing a server and waiting for the write concern, before a frozen server is given up.
const CALL_MARGIN: Duration = Duration::from_secs(10);

/// Writes to the collections of one database.
#[derive(Debug, Clone)]
pub struct MongoStore {
    connection: Connection,
    server_selection_timeout: Duration,
    doubts: Doubts,
}

impl MongoStore {
    /// `server_selection_timeout` is the client's own: it bounds, with the write concern's, how long a call may take.
    /// `anew` makes the same database of a new client, for when the server no longer knows our login; `None` where it cannot.
    #[must_use]
    pub fn new(database: Database, server_selection_timeout: Duration, anew: Anew) -> Self {
        Self { connection: Connection::new(database, anew), server_selection_timeout, doubts: Doubts::default() }
    }

    fn database(&self) -> Database {
        self.connection.current().database
    }

    async fn insert(&self, collection: &Collection, inserts: &[&Insert]) -> Result<Applied, Refusal> {
        let mut items = vec![ItemOutcome::Written; inserts.len()];
        let mut contested = Vec::new();
        let mut sent = 0;
        while sent < inserts.len() {
            let batch = encode::insert(&collection.name, &collection.write_concern, inserts[sent..].iter().copied());
            let first = sent;
            sent += batch.writes;
            let Some(answer) = self.send(collection, batch, &mut items[first..sent]).await? else { continue };
            for refused in answer.refused {
                let index = first + refused.index;
                let duplicate_id = refused.code == fault::DUPLICATE_KEY && refused.index_fields == ["_id"];
                items[index] = match (duplicate_id, inserts[index].hash) {
                    (true, None) => ItemOutcome::AlreadyThere,
                    (true, Some(hash)) => {
                        contested.push((index, hash));
                        continue;
                    }
                    (false, _) => refused_item(refused),
                };
            }
        }
        self.compare_hashes(collection, inserts, &contested, &mut items).await;
        Ok(Applied { items, stale: 0 })
    }

    /// Applies updates in their short form, and at once a second time, in the long form, those that lost a race between
    /// upserts or met a version field that is not a date.
    async fn update(&self, collection: &Collection, target: &Target<'_>, updates: &[&Update]) -> Result<Applied, Refusal> {
        let mut applied = self.update_in(collection, target, updates, Form::Short).await?;
        let again: Vec<usize> = (0..updates.len()).filter(|index| applied.asked_again(*index)).collect();
        if again.is_empty() {
            return Ok(applied.into_applied());
        }
        let second: Vec<&Update> = again.iter().map(|index| updates[*index]).collect();
        let mut settled = self.update_in(collection, target, &second, Form::Long).await?;
        let mut foreign = 0;
        for (position, index) in again.into_iter().enumerate() {
            let second = std::mem::replace(&mut settled.items[position], Tried::KeyTaken);
            foreign += usize::from(applied.items[index] == Tried::Unread && second == Tried::Done(ItemOutcome::Written));
            applied.items[index] = match second {
                Tried::KeyTaken => Tried::Done(self.explain_taken_key(collection, target, updates[index]).await),
                tried => tried,
            };
        }
        self.warn_of_foreign_versions(collection, foreign);
        applied.stale += settled.stale;
        Ok(applied.into_applied())
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
                if refused.code == fault::DUPLICATE_KEY {
                    self.doubt_indexes(collection);
                }
                let item = &mut attempt.items[first + refused.index];
                *item = if refused.code == fault::DUPLICATE_KEY && refused.index_fields == [target.key] {
                    Tried::KeyTaken
                } else if form == Form::Short && fault::blame(refused.code) == Blame::Unclear {
                    Tried::Unread
                } else {
                    Tried::Done(refused_item(refused))
                };
            }
        }
        Ok(attempt)
    }

    /// A key that was taken twice is no race between upserts.
    async fn explain_taken_key(&self, collection: &Collection, target: &Target<'_>, update: &Update) -> ItemOutcome {
        let rejection = |text: String| Rejection { reason: Reason::StoreRejected, text, code: Some(fault::DUPLICATE_KEY) };
        let reply = match self.call(collection, conflict::find_key(&collection.name, target.key, &update.key)).await {
            Ok(reply) => reply,
            Err(refusal) => return ItemOutcome::Unconfirmed(refusal.fault.text),
        };
        match conflict::documents(&reply).as_deref() {
            Some([holder, ..]) if conflict::is_array(holder, target.key) => {
                let text = format!("a document of {} holds this {} inside an array: make it a single value", collection.name, target.key);
                ItemOutcome::Rejected(rejection(text))
            }
            Some([]) => {
                let text =
                    format!("the unique index on {} of {} has this key, but no document with it is found", target.key, collection.name);
                ItemOutcome::Doubtful(rejection(text))
            }
            _ => ItemOutcome::Unconfirmed("lost two races between upserts of one key".to_owned()),
        }
    }

    fn warn_of_foreign_versions(&self, collection: &Collection, documents: usize) {
        if documents > 0 {
            tracing::warn!(
                db.name = self.database().name(),
                db.collection = %collection.name,
                documents,
                "version field {} holds something else than a date; read as in messages, and as oldest where that fails",
                collection.kind.version_field().unwrap_or_default(),
            );
        }
    }

    /// Sends a batch. None where its only write is refused before or as a whole, which `items` then says.
    async fn send(&self, collection: &Collection, batch: Batch, items: &mut [ItemOutcome]) -> Result<Option<reply::Reply>, Refusal> {
        debug_assert_eq!(batch.writes, items.len());
        if batch.command.len() > SINGLE_BYTES_MAX {
            let text = format!("takes {} bytes to write, and a server takes {SINGLE_BYTES_MAX} at most", batch.command.len());
            items.fill(ItemOutcome::Rejected(Rejection::new(Reason::TooLarge, text)));
            return Ok(None);
        }
        debug_assert!(batch.writes == 1 || batch.command.len() <= COMMAND_BYTES_MAX);
        match self.call(collection, batch.command).await {
            Ok(reply) => reply::read(&reply, batch.writes).map(Some),
            Err(Refusal { fault, code }) if fault.kind == StoreFaultKind::Refused && items.len() == 1 => {
                items.fill(ItemOutcome::Doubtful(Rejection { reason: Reason::StoreRejected, text: fault.text, code }));
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Runs a command on the primary and waits for its reply, within bounds also where the server is frozen.
    async fn call(&self, collection: &Collection, command: Vec<u8>) -> Result<Document, Refusal> {
        let command = RawDocumentBuf::from_bytes(command)
            .map_err(|error| Refusal { fault: StoreFault { kind: StoreFaultKind::Refused, text: error.to_string() }, code: None })?;
        let bound = self.server_selection_timeout + collection.write_concern.timeout + CALL_MARGIN;
        let current = self.connection.current();
        let answer = tokio::time::timeout(bound, Box::pin(async { current.database.run_raw_command(command).await })).await;
        match answer {
            Err(_) => Err(unavailable(format!("no reply within {} s", bound.as_secs()))),
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => self.refused(&current, &error),
        }
    }

    /// What a failed call comes to: a refusal, or after all a reply.
    fn refused(&self, current: &Current, error: &mongodb::error::Error) -> Result<Document, Refusal> {
        // A message cut in the middle of a character: a server may quote keys so.
        if let (ErrorKind::Bson(_), Some(raw)) = (&*error.kind, error.server_response()) {
            return bson::deserialize_from_slice::<bson::Utf8Lossy<Document>>(raw.as_bytes())
                .map(|reply| reply.0)
                .map_err(|error| unavailable(format!("unreadable reply: {error}")));
        }
        let refusal = fault::refusal(error);
        if refusal.code == Some(fault::UNAUTHORIZED) {
            self.connection.renew(current);
        }
        Err(refusal)
    }
}

impl Store for MongoStore {
    async fn write(&self, collection: &Collection, writes: &[&Write]) -> WriteOutcome {
        let mut inserts = Vec::new();
        let mut updates = Vec::new();
        for write in writes {
            match write {
                Write::Insert(insert) => inserts.push(insert),
                Write::Update(update) => updates.push(update),
            }
        }
        let applied = match Target::new(collection) {
            None if updates.is_empty() => self.insert(collection, &inserts).await,
            Some(target) if inserts.is_empty() => self.update(collection, &target, &updates).await,
            _ => {
                debug_assert!(false, "writes of another kind than collection {}", collection.name);
                Err(unavailable(format!("a batch for {} has writes of another kind: this is a bug in longshore", collection.name)))
            }
        };
        match applied {
            Ok(Applied { items, stale }) => WriteOutcome::Answered { items, stale },
            Err(refusal) => WriteOutcome::Unconfirmed(refusal.fault),
        }
    }

    async fn is_well(&self, collection: &Collection) -> bool {
        self.probe(collection).await.is_ok()
    }
}

/// What became of each write.
struct Applied {
    items: Vec<ItemOutcome>,
    stale: usize,
}

/// What became of each update when it was first asked.
struct Attempt {
    items: Vec<Tried>,
    stale: usize,
}

#[derive(Debug, PartialEq)]
enum Tried {
    Done(ItemOutcome),
    /// The unique index on the key has it already: another upsert was faster.
    KeyTaken,
    /// Refused for what may be a version field that the short form cannot read.
    Unread,
}

impl Attempt {
    fn asked_again(&self, index: usize) -> bool {
        !matches!(self.items[index], Tried::Done(_))
    }

    fn into_applied(self) -> Applied {
        let items = self.items.into_iter().map(|tried| match tried {
            Tried::Done(outcome) => outcome,
            Tried::KeyTaken | Tried::Unread => ItemOutcome::Unconfirmed("asked once and not again".to_owned()),
        });
        Applied { items: items.collect(), stale: self.stale }
    }
}

fn refused_item(refused: Refused) -> ItemOutcome {
    let blame = fault::blame(refused.code);
    let rejection = Rejection { reason: Reason::StoreRejected, text: refused.text, code: Some(refused.code) };
    match blame {
        Blame::Item => ItemOutcome::Rejected(rejection),
        Blame::Server => ItemOutcome::Unconfirmed(format!("{}: {}", refused.code, rejection.text)),
        Blame::Unclear => ItemOutcome::Doubtful(rejection),
    }
}
