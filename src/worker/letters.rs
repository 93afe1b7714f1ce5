//! The dead letters of the database, for the status page.
//!
//! The admin server has a thread and a runtime of its own, and the client belongs to that of the worker. So
//! questions run there: its sockets live as long as the worker, and one that is dropped ends.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bson::Document;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admin::letters::{ANSWER_WITHIN, Answer, GROUPS_KNOWN_MAX, Groups, Letters, Trouble};
use crate::dead_letter::group::Alike;
use crate::dead_letter::search::{self, Search};
use crate::mongo_manager::{Documents, MongoManager, NoGroup};

/// What the server gives up after, so that it does so before nobody waits any more.
const SERVER_WITHIN: Duration = ANSWER_WITHIN.saturating_sub(Duration::from_secs(1));

/// Between two new clients at least. Whoever lacks the right for good gets one a minute while a page is open.
const ANEW_EVERY: Duration = Duration::from_mins(1);

pub(super) struct DatabaseLetters {
    way: Arc<Mutex<Way>>,
    worker: Handle,
}

/// The client that is asked. The server forgets a login for good where its user is dropped, though one of the
/// same name be made again.
struct Way {
    documents: Documents,
    anew_at: Option<Instant>,
}

impl DatabaseLetters {
    /// Those of this collection. Questions run where this is called.
    pub fn new(manager: &MongoManager, collection: &str) -> Self {
        let documents = Documents::of(manager, collection).within(SERVER_WITHIN);
        let way = Way { documents, anew_at: None };
        Self { way: Arc::new(Mutex::new(way)), worker: Handle::current() }
    }

    fn ask<T, F>(&self, asking: impl FnOnce(Documents) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, NoGroup>> + Send + 'static,
    {
        let (way, asking) = (Arc::clone(&self.way), asking(lock(&self.way).documents.clone()));
        // Ends what runs in it when it is dropped.
        let mut asked = JoinSet::new();
        let answering = async move {
            asking.await.map_err(|error| {
                if let NoGroup::Unasked(error) = &error
                    && error.is_about_login()
                {
                    lock(&way).renew();
                }
                trouble(&error)
            })
        };
        asked.spawn_on(answering, &self.worker);
        async move {
            match asked.join_next().await {
                Some(Ok(answer)) => answer,
                Some(Err(_)) | None => Err(Trouble::Unasked("the worker ends".to_owned())),
            }
        }
        .boxed()
    }
}

impl Way {
    /// The next question goes by another client, which logs in anew.
    fn renew(&mut self) {
        if self.anew_at.is_some_and(|at| at.elapsed() < ANEW_EVERY) {
            return;
        }
        self.anew_at = Some(Instant::now());
        if let Ok(documents) = self.documents.anew() {
            self.documents = documents;
        }
    }
}

/// It holds no credentials, as no error of the manager does.
fn trouble(error: &NoGroup) -> Trouble {
    match error {
        NoGroup::Ambiguous => Trouble::Ambiguous,
        NoGroup::Unasked(error) if error.is_about_time() => Trouble::TooLong(error.to_string()),
        NoGroup::Unknown | NoGroup::Unasked(_) => Trouble::Unasked(error.to_string()),
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Letters for DatabaseLetters {
    fn groups(&self, search: Search, most: u32) -> Answer<Groups> {
        self.ask(async move |documents| {
            let most_and_one = most.saturating_add(1);
            let (mut groups, letters) = documents.groups_with_total(&search, most_and_one).await?;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let is_all = groups.len() <= most;
            groups.truncate(most);
            Ok(Groups { groups, letters, is_all })
        })
    }

    fn alike(&self, group: String) -> Answer<Option<Alike>> {
        self.ask(async move |documents| {
            match documents.alike(&group, Some(GROUPS_KNOWN_MAX)).await {
                Ok(alike) => Ok(Some(alike)),
                Err(NoGroup::Unknown) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn newest(
        &self,
        search: Search,
        most: u32,
        without: &'static [&'static str],
    ) -> Answer<Vec<Document>> {
        self.ask(async move |documents| {
            let newest_first = search::newest_first();
            Ok(documents.find(search.filter(), newest_first, most, without).await?)
        })
    }

    fn with_id(&self, id: String, without: &'static [&'static str]) -> Answer<Vec<Document>> {
        self.ask(async move |documents| Ok(documents.letters_of(&id, without).await?))
    }
}
