//! The way to the database, which is made anew where the server no longer knows our login.
//!
//! When a user is dropped, the server forgets the login of every connection of that user, for good:
//! also where the user is made again at once, as programs that manage users do. Such a connection
//! still answers, with 13 (Unauthorized), so that no driver gives it up, and only a new one logs in
//! again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::Database;
use mongodb::options::{DatabaseOptions, ReadPreference, SelectionCriteria};
use tokio::time::Instant;

/// Between two new clients at least.
const ANEW_EVERY: Duration = Duration::from_secs(20);

/// Makes the same database of a new client, with connections of its own. `None` where that cannot
/// be done.
pub type Anew = Box<dyn Fn() -> Option<Database> + Send + Sync>;

/// Clones are the same way.
#[derive(Clone)]
pub struct Connection {
    state: Arc<Mutex<State>>,
    anew: Arc<Anew>,
}

/// A database and how often it was made anew before.
#[derive(Debug, Clone)]
pub struct Current {
    pub database: Database,
    number: u64,
}

#[derive(Debug)]
struct State {
    current: Current,
    /// When it was made anew; `None` for the first one.
    anew_at: Option<Instant>,
    /// Collections with commands for which a right is missing, also for the login that was made anew
    /// for that.
    denied: BTreeSet<String>,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial<'a> {
    /// The server does not know the login any more.
    OfLogin,
    /// A right for this command on this collection is missing.
    OfCollection(&'a str, &'a str),
}

impl Connection {
    #[must_use]
    pub fn new(database: &Database, anew: Anew) -> Self {
        let current = Current { database: on_primary(database), number: 0 };
        let state = State { current, anew_at: None, denied: BTreeSet::new() };
        Self { state: Arc::new(Mutex::new(state)), anew: Arc::new(anew) }
    }

    #[must_use]
    pub fn current(&self) -> Current {
        self.lock().current.clone()
    }

    /// After a refusal by `refused`. Of many calls that it refused, the first one connects anew,
    /// and the others find that done. For a right that is missing that is tried once, and not again
    /// before such a command was taken: others would lose their connections.
    pub fn renew(&self, refused: &Current, denial: Denial<'_>) {
        let mut state = self.lock();
        let right = match denial {
            Denial::OfLogin => None,
            Denial::OfCollection(collection, command) => Some(right(collection, command)),
        };
        if right.as_ref().is_some_and(|right| state.denied.contains(right)) {
            return;
        }
        let may_help = state.anew_at.is_none_or(|anew_at| anew_at.elapsed() >= ANEW_EVERY);
        if state.current.number == refused.number
            && may_help
            && let Some(database) = (self.anew)()
        {
            tracing::warn!(
                db.name = database.name(),
                "not authorised: logging in once more, on new connections"
            );
            state.current = Current { database: on_primary(&database), number: refused.number + 1 };
            state.anew_at = Some(Instant::now());
            state.denied.extend(right);
        }
    }

    /// Such a command was taken.
    pub fn allowed(&self, collection: &str, command: &str) {
        let mut state = self.lock();
        if !state.denied.is_empty() {
            state.denied.remove(&right(collection, command));
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same database for questions that go to the primary, whatever the connection string prefers
/// for the reads of others.
fn on_primary(database: &Database) -> Database {
    let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
    let options = DatabaseOptions::builder().selection_criteria(primary).build();
    database.client().database_with_options(database.name(), options)
}

fn right(collection: &str, command: &str) -> String {
    format!("{command} {collection}")
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("current", &self.current()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mongodb::Client;

    use super::*;

    async fn counted() -> (Connection, Arc<AtomicUsize>) {
        let client = Client::with_uri_str("mongodb://127.0.0.1:1").await.expect("a client");
        let (database, count) = (client.database("portal"), Arc::new(AtomicUsize::new(0)));
        let (again, counted) = (database.clone(), Arc::clone(&count));
        let anew = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Some(again.clone())
        };
        (Connection::new(&database, Box::new(anew)), count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_stays_missing_is_one_new_login_and_a_lost_login_one_each_time() {
        let (connection, count) = counted().await;
        let logins_after = |denial| {
            connection.renew(&connection.current(), denial);
            count.load(Ordering::Relaxed)
        };
        for _ in 0..3 {
            assert_eq!(logins_after(Denial::OfCollection("sessions", "update")), 1);
            tokio::time::advance(ANEW_EVERY).await;
        }
        assert_eq!(logins_after(Denial::OfCollection("sessions", "find")), 2, "another command");
        tokio::time::advance(ANEW_EVERY).await;
        connection.allowed("sessions", "find");
        assert_eq!(logins_after(Denial::OfCollection("sessions", "update")), 2, "another command");
        connection.allowed("sessions", "update");
        assert_eq!(
            logins_after(Denial::OfCollection("sessions", "update")),
            3,
            "it was taken meanwhile"
        );
        for logins in [4, 5] {
            tokio::time::advance(ANEW_EVERY).await;
            assert_eq!(logins_after(Denial::OfLogin), logins);
        }
        assert_eq!(logins_after(Denial::OfLogin), 5, "not twice at once");
    }
}
