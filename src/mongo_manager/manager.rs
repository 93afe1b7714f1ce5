//! The client with its default database, and what all that is asked of a server goes through.
//!
//! What is asked, of the server's facts or of the user's privileges, stands beside it, each with the
//! call that asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use bson::{Document, doc};
use mongodb::event::EventHandler;
use mongodb::options::{ClientOptions, Credential};
use mongodb::{Client, Database};
use tokio::time::timeout;

use super::aws_login::{self, AwsCredentials, AwsLogin, AwsLoginError};
use super::diagnosis::Diagnosis;
use super::error::MongoManagerError;
use super::members::{self, Reached};
use super::options::selection_timeout;
use super::pool::{PoolCounters, PoolCounts};
use super::settings;
use super::transport::Transport;
use crate::config::DbConfig;
use crate::telemetry::signals::Signals;

/// How long a ping may take beyond the search for a server: a server that stalls must not stall
/// those who ask for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// A connected client with its default database. Clones share it.
#[derive(Clone)]
pub struct MongoManager {
    client: Client,
    /// For clients that take its place.
    options: Arc<ClientOptions>,
    reached: Arc<Reached>,
    aws: Option<AwsCredentials>,
    config: Arc<DbConfig>,
    database: Database,
    pool: Arc<PoolCounters>,
    diagnosis: Arc<Diagnosis>,
    ping_timeout: Duration,
}

impl MongoManager {
    /// Makes a client and pings the server, so that a wrong address or password shows here.
    ///
    /// The client belongs to the tokio runtime that this runs on and ends with it.
    ///
    /// # Errors
    /// At once where the settings cannot be read. Otherwise, where no server answers, within the server
    /// selection timeout and 3 s; the timeout is `serverSelectionTimeoutMS` in the URI, or
    /// [`DbConfig::server_selection_timeout`].
    pub async fn connect(config: &DbConfig) -> Result<Self, MongoManagerError> {
        Self::made(config, None).await
    }

    /// As [`MongoManager::connect`]. Where the URI asks for MONGODB-AWS and has no credentials, those
    /// of `aws` log in, which is asked at each login; without it the driver loads the standard chain
    /// by itself, each time.
    ///
    /// # Errors
    /// As [`MongoManager::connect`], and where `aws` is needed and has none.
    pub async fn connect_with(
        config: &DbConfig,
        aws: SharedCredentialsProvider,
    ) -> Result<Self, MongoManagerError> {
        Self::made(config, Some(AwsCredentials::new(aws))).await
    }

    async fn made(
        config: &DbConfig,
        aws: Option<AwsCredentials>,
    ) -> Result<Self, MongoManagerError> {
        let settings::Settings { mut options, database, redactor } = settings::read(config).await?;
        let ping_timeout = selection_timeout(&options).saturating_add(ANSWER_TIMEOUT);
        let pool = Arc::new(PoolCounters::default());
        let diagnosis = Arc::new(Diagnosis::new(&options, aws.clone(), redactor));
        if let (Some(aws), Some(credential)) = (&aws, &mut options.credential) {
            aws.give_to(credential);
            let lack = timeout(ping_timeout, aws.lack_for(credential)).await;
            if let Some(detail) = lack.unwrap_or_else(|_| Some(aws_login::SILENT.to_owned())) {
                let hosts = diagnosis.hosts().to_owned();
                return Err(AwsLoginError::NoCredentials { hosts, detail }.into());
            }
        }
        options.cmap_event_handler = Some({
            let pool = Arc::clone(&pool);
            EventHandler::callback(move |event| pool.record(&event))
        });
        let hosts = timeout(ping_timeout, members::ask(&options, &diagnosis))
            .await
            .unwrap_or_else(|_| Err(diagnosis.silent()))?;
        if !config.allow_insecure {
            Transport::refuse_weak(&options, &hosts)?;
        }
        let is_confined = !config.allow_insecure
            && options.credential.is_some()
            && Transport::of(&options, &hosts) == Transport::ThisMachine;
        let reached = Arc::new(Reached::new(hosts, is_confined));
        options.sdam_event_handler = Some({
            let (diagnosis, reached) = (Arc::clone(&diagnosis), Arc::clone(&reached));
            EventHandler::callback(move |event| {
                reached.record(&event);
                diagnosis.record(event);
            })
        });
        let client =
            Client::with_options(options.clone()).map_err(|error| diagnosis.explain(&error))?;
        let database = client.database(&database);
        let (options, config) = (Arc::new(options), Arc::new(config.clone()));
        let manager =
            Self { client, options, reached, aws, config, database, pool, diagnosis, ping_timeout };
        manager.ping().await?;
        Ok(manager)
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The database that the URI names.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The same database of a new client, which logs in on connections of its own, with the login
    /// that `db.mongo_uri_file` has by now. For when the server no longer knows the login of the old
    /// ones: it forgets that for good where a user is dropped, though one of the same name be made
    /// again.
    ///
    /// # Errors
    /// Where the driver no longer takes the options that it has taken before.
    pub fn database_anew(&self) -> Result<Database, MongoManagerError> {
        let mut options = ClientOptions::clone(&self.options);
        match self.login_anew() {
            Ok(Some(login)) => options.credential = Some(login),
            Ok(None) => {}
            Err(problem) => {
                tracing::warn!(
                    problem,
                    "cannot use the login in db.mongo_uri_file: the worker keeps the login that it has"
                );
            }
        }
        let client = Client::with_options(options).map_err(|error| self.explain(&error))?;
        Ok(client.database(self.database.name()))
    }

    /// The login in the file by now, under the rules of the first: it stays hidden, and goes nowhere
    /// that the first could not have gone.
    fn login_anew(&self) -> Result<Option<Credential>, String> {
        let Some((mut login, redactor)) =
            settings::login_in_file(&self.config, self.options.credential.as_ref())?
        else {
            return Ok(None);
        };
        self.diagnosis.learn(redactor);
        if let Some(aws) = &self.aws {
            aws.give_to(&mut login);
        }
        if !self.config.allow_insecure {
            let mut options = ClientOptions::clone(&self.options);
            options.credential = Some(login.clone());
            Transport::refuse_weak(&options, &self.reached.hosts())
                .map_err(|error| error.to_string())?;
        }
        Ok(Some(login))
    }

    /// How what is said to the servers is kept from others.
    #[must_use]
    pub fn transport(&self) -> Transport {
        Transport::of(&self.options, &self.reached.hosts())
    }

    /// Where the servers are, as the connection string names them: nothing of it is secret.
    #[must_use]
    pub fn hosts(&self) -> &str {
        self.diagnosis.hosts()
    }

    /// With whose credentials it logs in by MONGODB-AWS, where it does.
    #[must_use]
    pub fn aws_login(&self) -> Option<AwsLogin> {
        AwsLogin::of(self.options.credential.as_ref())
    }

    /// Connections to one server at most; `None` where there is no bound.
    #[must_use]
    pub fn pool_size_max(&self) -> Option<u32> {
        self.options.max_pool_size.filter(|most| *most > 0)
    }

    /// What the connection pools did so far.
    #[must_use]
    pub fn pool_counts(&self) -> PoolCounts {
        self.pool.counts()
    }

    /// How long connections take is told to `signals` from now on.
    pub fn tell(&self, signals: Signals) {
        self.pool.tell(signals);
    }

    /// Asks the primary for a sign of life.
    ///
    /// # Errors
    /// Where none came within the server selection timeout and 3 s.
    pub async fn ping(&self) -> Result<(), MongoManagerError> {
        let answered = timeout(self.ping_timeout, self.run(doc! { "ping": 1 })).await;
        answered.unwrap_or_else(|_| Err(self.diagnosis.silent())).map(|_| ())
    }

    /// The server's `collStats` of a collection: `count`, `size`, `storageSize`, `nindexes` and
    /// more. All are 0 where there is no such collection.
    /// <https://www.mongodb.com/docs/manual/reference/command/collStats/>
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn coll_stats(&self, collection: &str) -> Result<Document, MongoManagerError> {
        self.run(doc! { "collStats": collection }).await
    }

    /// Runs a command on the primary, as it is. A write concern that was not met is an error.
    pub(crate) async fn run(&self, command: Document) -> Result<Document, MongoManagerError> {
        let reply =
            self.database.run_command(command).await.map_err(|error| self.explain(&error))?;
        match reply.get_document("writeConcernError") {
            Ok(unmet) => {
                let detail =
                    unmet.get_str("errmsg").unwrap_or("the write concern was not met").to_owned();
                Err(MongoManagerError::Failed { hosts: self.diagnosis.hosts().to_owned(), detail })
            }
            Err(_) => Ok(reply),
        }
    }

    /// An error of this client, from any call of the driver, in words that say what to do and hold
    /// no credentials.
    #[must_use]
    pub fn explain(&self, error: &mongodb::error::Error) -> MongoManagerError {
        self.diagnosis.explain(error)
    }
}

impl fmt::Debug for MongoManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoManager")
            .field("hosts", &self.diagnosis.hosts())
            .field("database", &self.database.name())
            .field("pool", &self.pool_counts())
            .finish_non_exhaustive()
    }
}
