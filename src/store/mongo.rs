//! The store that is MongoDB: server commands, encoded here, their replies read item by item.
//!
//! `insert` and `update` go through the driver's `run_raw_command`, unordered and with an explicit
//! write concern, as every MongoDB from 4.4 on takes them. The driver does not retry these; asking
//! again is the caller's, and safe.

mod collation;
mod command;
mod conflict;
mod connection;
mod doubted;
mod fault;
mod guard;
pub mod indexes;
pub mod letter;
mod letters;
mod made_id;
pub mod older;
mod probe;
mod redelivery;
mod reply;
mod selection;
mod unfit;
mod updates;

use std::collections::BTreeSet;
use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use mongodb::Database;
use mongodb::error::ErrorKind;
use tokio::time::timeout;

use self::command::{Batch, COMMAND_BYTES_MAX, Command, SINGLE_BYTES_MAX};
use self::connection::{Anew, Connection, Current, Denial};
use self::doubted::DoubtedIndexes;
use self::fault::{Blame, Refusal, unavailable};
use self::guard::{Form, Target};
use self::reply::Refused;
use self::unfit::Unfit;
use crate::message::{Insert, Place, Reason, Rejection, Write};
use crate::store::{
    Collection, ItemOutcome, Store, StoreFault, StoreFaultKind, WriteOutcome, Writes,
};

/// What a call may take beyond choosing a server and waiting for the write concern, before a frozen
/// server is given up.
const CALL_MARGIN: Duration = Duration::from_secs(10);

/// Writes to the collections of one database.
#[derive(Debug, Clone)]
pub struct MongoStore {
    connection: Connection,
    server_selection_timeout: Duration,
    doubted: DoubtedIndexes,
    unfit: Unfit,
}

impl MongoStore {
    /// `server_selection_timeout` is the client's own: it bounds, with the write concern's, how
    /// long a call may take. `anew` makes the same database of a new client, for when the server no
    /// longer knows our login; `None` where it cannot.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "it is the store's from here on")]
    pub fn new(database: Database, server_selection_timeout: Duration, anew: Anew) -> Self {
        Self {
            connection: Connection::new(&database, anew),
            server_selection_timeout,
            doubted: DoubtedIndexes::default(),
            unfit: Unfit::default(),
        }
    }

    /// Waits until an upsert has met a duplicate, which may say that indexes are not what they
    /// were. One listens at a time.
    pub async fn indexes_doubted(&self) {
        self.doubted.any().await;
    }

    /// The names of the collections where that was, since this was last asked.
    #[must_use]
    pub fn take_doubted(&self) -> BTreeSet<String> {
        self.doubted.take()
    }

    /// Whether writes may go to this collection. One that was found unfit is looked at again each
    /// time: the gate may be closed for it, and then nobody else looks.
    async fn is_fit(&self, collection: &Collection) -> Result<(), StoreFault> {
        if self.unfit.why(&collection.name).is_none() {
            return Ok(());
        }
        let bound = self.server_selection_timeout + CALL_MARGIN;
        // The look itself keeps what it finds.
        timeout(bound, self.indexes(collection))
            .await
            .unwrap_or_else(|_| Err(fault::no_answer(bound).fault))
            .map_err(fault::before_a_write)?;
        match self.unfit.why(&collection.name) {
            Some(text) => Err(StoreFault { kind: StoreFaultKind::Collection, text }),
            None => Ok(()),
        }
    }

    fn database(&self) -> Database {
        self.connection.current().database
    }

    async fn insert(
        &self,
        collection: &Collection,
        inserts: &[&Insert],
    ) -> Result<Applied, Refusal> {
        let mut items = vec![ItemOutcome::Written; inserts.len()];
        let mut duplicates = Vec::new();
        let mut sent = 0;
        while sent < inserts.len() {
            let batch = command::insert(
                &collection.name,
                &collection.write_concern,
                inserts[sent..].iter().copied(),
            );
            let first = sent;
            sent += batch.writes;
            let Some(answer) = self.send(collection, batch, &mut items[first..sent]).await? else {
                continue;
            };
            for refused in answer.refused {
                let index = first + refused.index;
                let duplicate_id =
                    refused.code == fault::DUPLICATE_KEY && refused.index_fields == ["_id"];
                if duplicate_id {
                    duplicates.push(index);
                } else {
                    items[index] = refused_item(refused);
                }
            }
        }
        let unread = self.explain_duplicates(collection, inserts, &duplicates, &mut items).await;
        Ok(Applied { items, stale: 0, unread })
    }

    /// Sends a batch. None where its only write is refused before or as a whole, which `items` then
    /// says.
    async fn send(
        &self,
        collection: &Collection,
        batch: Batch,
        items: &mut [ItemOutcome],
    ) -> Result<Option<reply::Reply>, Refusal> {
        debug_assert_eq!(batch.writes, items.len());
        if let Err(rejection) = check_size(&batch.command.bytes) {
            items.fill(ItemOutcome::Rejected(rejection));
            return Ok(None);
        }
        debug_assert!(batch.writes == 1 || batch.command.bytes.len() <= COMMAND_BYTES_MAX);
        let answer = self
            .call(collection, batch.command)
            .await
            .and_then(|reply| reply::read(&reply, batch.writes));
        if is_of_the_collection(&answer) {
            self.doubted.doubt(collection);
        }
        match answer {
            Ok(reply) => Ok(Some(reply)),
            Err(Refusal { fault, code })
                if fault.kind == StoreFaultKind::Refused && items.len() == 1 =>
            {
                items.fill(ItemOutcome::Doubtful(Rejection::by_server(fault.text, code)));
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Runs a command on the primary and waits for its reply, within bounds also where the server
    /// is frozen.
    async fn call(
        &self,
        collection: &Collection,
        Command { name, bytes }: Command,
    ) -> Result<Document, Refusal> {
        let command = RawDocumentBuf::from_bytes(bytes).map_err(|error| Refusal {
            fault: StoreFault { kind: StoreFaultKind::Refused, text: error.to_string() },
            code: None,
        })?;
        let bound = self.server_selection_timeout + collection.write_concern.timeout + CALL_MARGIN;
        let current = self.connection.current();
        let answer =
            timeout(bound, Box::pin(async { current.database.run_raw_command(command).await }))
                .await;
        match answer {
            Err(_) => Err(fault::no_answer(bound)),
            Ok(Ok(reply)) => {
                self.connection.allowed(&collection.name, name);
                Ok(reply)
            }
            Ok(Err(error)) => self.refused((&collection.name, name), &current, &error),
        }
    }

    /// What a failed call comes to: a refusal, or after all a reply.
    fn refused(
        &self,
        (collection, command): (&str, &str),
        current: &Current,
        error: &mongodb::error::Error,
    ) -> Result<Document, Refusal> {
        // A message cut in the middle of a character: a server may quote keys so.
        if let (ErrorKind::Bson(_), Some(raw)) = (&*error.kind, error.server_response()) {
            return bson::deserialize_from_slice::<bson::Utf8Lossy<Document>>(raw.as_bytes())
                .map(|reply| reply.0)
                .map_err(|error| unavailable(format!("unreadable reply: {error}")));
        }
        let mut refusal = fault::refusal(error);
        // A new connection could not log in: the password may be another by now.
        if fault::is_login_refused(error) {
            self.connection.renew(current, Denial::OfLogin);
        }
        if refusal.code == Some(fault::UNAUTHORIZED) {
            let Refusal { fault: StoreFault { kind, text }, .. } = &mut refusal;
            let denial = if *kind == StoreFaultKind::Collection {
                *text = format!("`{command}` on {collection} is not allowed: {text}");
                Denial::OfCollection(collection, command)
            } else {
                Denial::OfLogin
            };
            self.connection.renew(current, denial);
        }
        Err(refusal)
    }
}

impl Store for MongoStore {
    async fn write(&self, collection: &Collection, writes: Writes<'_>) -> WriteOutcome {
        if let Err(fault) = self.is_fit(collection).await {
            return WriteOutcome::Unconfirmed(fault);
        }
        let applied = match writes {
            Writes::Inserts(inserts) => self.insert(collection, &inserts).await,
            Writes::Letters(letters) => self.keep(collection, &letters).await,
            Writes::Updates(keyed, updates) => {
                let target = Target::new(keyed, &collection.declared);
                self.update(collection, &target, &updates).await
            }
        };
        match applied {
            Ok(Applied { items, unread: Some(fault), .. }) if items.iter().all(is_unconfirmed) => {
                WriteOutcome::Unconfirmed(fault)
            }
            Ok(Applied { items, stale, .. }) => WriteOutcome::Answered { items, stale },
            Err(refusal) => WriteOutcome::Unconfirmed(refusal.fault),
        }
    }

    fn command_bytes(write: &Write) -> usize {
        command::bytes(write)
    }

    async fn is_well(&self, collection: &Collection) -> bool {
        self.is_fit(collection).await.is_ok() && self.probe(collection).await.is_ok()
    }
}

/// The first command that `writes` are sent as, and how many of them it holds; updates in the short
/// form. By this, `longshore try` shows what would be sent, and what a write costs before the driver has
/// it is measured.
#[must_use]
pub fn first_command(collection: &Collection, writes: &Writes<'_>) -> (Vec<u8>, usize) {
    let Collection { name, write_concern, declared, .. } = collection;
    let batch = match writes {
        Writes::Inserts(inserts) => command::insert(name, write_concern, inserts.iter().copied()),
        Writes::Letters(letters) => command::letters(name, write_concern, letters.iter().copied()),
        Writes::Updates(keyed, updates) => {
            let target = Target::new(keyed, declared);
            let updates = updates.iter().copied();
            command::update(name, write_concern, &target, Form::Short, updates)
        }
    };
    (batch.command.bytes, batch.writes)
}

/// Rejects a write whose command no server takes, before it is sent.
///
/// # Errors
/// Where its command is larger than that.
pub fn check_write(collection: &Collection, write: &Write) -> Result<(), Rejection> {
    match Writes::of(&collection.kind, [write]) {
        Some(writes) => check_size(&first_command(collection, &writes).0),
        None => Ok(()),
    }
}

/// Rejects the one write of a command that no server takes.
///
/// # Errors
/// Where the command is larger than that.
fn check_size(command: &[u8]) -> Result<(), Rejection> {
    let bytes = command.len();
    if bytes <= SINGLE_BYTES_MAX {
        return Ok(());
    }
    let text =
        format!("takes {bytes} bytes to write, and a server takes {SINGLE_BYTES_MAX} at most");
    Err(Rejection::new(Reason::TooLarge, text).at(Place::whole()))
}

/// What became of each write.
struct Applied {
    items: Vec<ItemOutcome>,
    stale: usize,
    /// The right to read what is there already is missing. Where nothing is known of any item, that
    /// is the trouble of all.
    unread: Option<StoreFault>,
}

const fn is_unconfirmed(item: &ItemOutcome) -> bool {
    matches!(item, ItemOutcome::Unconfirmed(_))
}

/// Whether an answer speaks of what the collection is.
fn is_of_the_collection(answer: &Result<reply::Reply, Refusal>) -> bool {
    match answer {
        Ok(reply) => reply
            .refused
            .iter()
            .any(|refused| fault::is_of_the_collection(refused.code, &refused.text)),
        Err(Refusal { fault, code }) => {
            code.is_some_and(|code| fault::is_of_the_collection(code, &fault.text))
        }
    }
}

fn refused_item(refused: Refused) -> ItemOutcome {
    let blame = fault::blame(refused.code, &refused.text);
    let rejection = Rejection::by_server(refused.text, Some(refused.code));
    match blame {
        Blame::Item => ItemOutcome::Rejected(rejection),
        Blame::Server => ItemOutcome::Unconfirmed(format!("{}: {}", refused.code, rejection.text)),
        Blame::Unclear => ItemOutcome::Doubtful(rejection),
    }
}
