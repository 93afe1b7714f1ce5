//! The dead letters of the database, for the status page.
//!
//! The admin server has a thread and a runtime of its own, and the client belongs to that of the worker. So
//! questions run there: its sockets live as long as the worker, and one that is dropped ends.

use std::future::Future;
use std::time::Duration;

use bson::Document;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::admin::letters::{ANSWER_WITHIN, Answer, GROUPS_KNOWN_MAX, Groups, Letters};
use crate::dead_letter::group::Alike;
use crate::dead_letter::search::{self, Search};
use crate::mongo_manager::{Documents, MongoManager, NoGroup};

/// What the server gives up after, so that it does so before nobody waits any more.
const SERVER_WITHIN: Duration = ANSWER_WITHIN.saturating_sub(Duration::from_secs(1));

pub(super) struct DatabaseLetters {
    documents: Documents,
    worker: Handle,
}

impl DatabaseLetters {
    /// Those of this collection. Questions run where this is called.
    pub fn new(manager: &MongoManager, collection: &str) -> Self {
        let documents = Documents::of(manager, collection).within(SERVER_WITHIN);
        Self { documents, worker: Handle::current() }
    }

    fn ask<T, F>(&self, asking: impl FnOnce(Documents) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, String>> + Send + 'static,
    {
        // Ends what runs in it when it is dropped.
        let mut asked = JoinSet::new();
        asked.spawn_on(asking(self.documents.clone()), &self.worker);
        async move {
            match asked.join_next().await {
                Some(Ok(answer)) => answer,
                Some(Err(_)) | None => Err("the worker ends".to_owned()),
            }
        }
        .boxed()
    }
}

impl Letters for DatabaseLetters {
    fn groups(&self, search: Search, most: u32) -> Answer<Groups> {
        self.ask(async move |documents| {
            let most_and_one = most.saturating_add(1);
            let mut groups = documents.groups(&search, Some(most_and_one)).await.map_err(told)?;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let is_all = groups.len() <= most;
            groups.truncate(most);
            let letters = if is_all {
                groups.iter().map(|group| group.letters).sum()
            } else {
                documents.count(search.filter()).await.map_err(told)?
            };
            Ok(Groups { groups, letters, is_all })
        })
    }

    fn alike(&self, group: String) -> Answer<Option<Alike>> {
        self.ask(async move |documents| {
            match documents.alike(&group, Some(GROUPS_KNOWN_MAX)).await {
                Ok(alike) => Ok(Some(alike)),
                Err(NoGroup::Unknown) => Ok(None),
                Err(error) => Err(told(error)),
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
            documents.find(search.filter(), newest_first, most, without).await.map_err(told)
        })
    }

    fn with_id(&self, id: String, without: &'static [&'static str]) -> Answer<Vec<Document>> {
        self.ask(async move |documents| {
            let newest_first = search::newest_first();
            documents.find(search::of_id(&id), newest_first, 2, without).await.map_err(told)
        })
    }
}

/// An error that holds no credentials, as those of the manager.
fn told(error: impl std::error::Error) -> String {
    error.to_string()
}
