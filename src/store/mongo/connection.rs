//! The way to the database, which is made anew where the server no longer knows our login.
//!
//! When a user is dropped, the server forgets the login of every connection of that user, for good:
//! also where the user is made again at once, as programs that manage users do. Such a connection
//! still answers, with 13 (Unauthorized), so that no driver gives it up, and only a new one logs in
//! again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::Database;
use tokio::time::Instant;

/// Between two new clients at least. If a right is missing another login does not help, and others
/// would lose their connections.
const ANEW_EVERY: Duration = Duration::from_secs(20);

/// Makes the same database of a new client, with connections of its own. `None` where that cannot
/// be done.
pub type Anew = Box<dyn Fn() -> Option<Database> + Send + Sync>;

/// Clones are the same way.
#[derive(Clone)]
pub struct Connection {
    current: Arc<Mutex<Current>>,
    anew: Arc<Anew>,
}

/// A database and how often it was made anew before.
#[derive(Debug, Clone)]
pub struct Current {
    pub database: Database,
    number: u64,
    /// When it was made anew; `None` for the first one.
    anew_at: Option<Instant>,
}

impl Connection {
    #[must_use]
    pub fn new(database: Database, anew: Anew) -> Self {
        Self {
            current: Arc::new(Mutex::new(Current { database, number: 0, anew_at: None })),
            anew: Arc::new(anew),
        }
    }

    #[must_use]
    pub fn current(&self) -> Current {
        self.lock().clone()
    }

    /// After a refusal by `refused`. Of many calls that it refused, the first one connects anew,
    /// and the others find that done.
    pub fn renew(&self, refused: &Current) {
        let mut current = self.lock();
        let may_help = current.anew_at.is_none_or(|anew_at| anew_at.elapsed() >= ANEW_EVERY);
        if current.number == refused.number
            && may_help
            && let Some(database) = (self.anew)()
        {
            tracing::warn!(
                db.name = database.name(),
                "not authorised: logging in once more, on new connections"
            );
            *current =
                Current { database, number: refused.number + 1, anew_at: Some(Instant::now()) };
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("current", &self.current()).finish_non_exhaustive()
    }
}
