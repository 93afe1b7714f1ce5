//! A worker or a peer, and where it finds its servers: straight, or with a front between.

use anyhow::Result;
use longshore::dev::sqs::REGION;
use longshore::queue::sqs::SqsQueue;
use tokio::process::Command;

use crate::front::Front;
use crate::peers::Peer;
use crate::rows::Variant;
use crate::servers::Servers;

/// What stands between.
#[derive(Default)]
pub struct Ways {
    queue: Option<Front>,
    database: Option<Front>,
}

impl Ways {
    pub async fn of(variant: Variant, servers: &Servers) -> Result<Self> {
        let Variant { by_tls, distance, .. } = variant;
        let mut ways = Self::default();
        if by_tls || !distance.queue.is_zero() {
            let server = servers.sqs.endpoint().trim_start_matches("http://");
            ways.queue = Some(Front::start(server, distance.queue, by_tls).await?);
        }
        if !distance.database.is_zero() {
            let server = servers.mongod.hosts();
            ways.database = Some(Front::start(&server, distance.database, false).await?);
        }
        Ok(ways)
    }

    /// A worker that is as by default, but for where its servers are.
    pub fn worker(&self, servers: &Servers, queue: &SqsQueue, database: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.arg("run").env_clear();
        // To try settings, the allocator's too. Nothing else of the environment: what is real must not
        // be touched.
        let is_passed_on =
            |name: &str| name.starts_with("LONGSHORE__") || name == "_RJEM_MALLOC_CONF";
        command.envs(std::env::vars().filter(|(name, _)| is_passed_on(name)));
        command.envs([
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGION),
            ("LONGSHORE__QUEUE__URL", queue.url()),
        ]);
        command.env("LONGSHORE__QUEUE__ENDPOINT_URL", self.endpoint(servers));
        if let Some(certificate) = self.queue.as_ref().and_then(|front| front.certificate.as_ref())
        {
            command.env("SSL_CERT_FILE", certificate.path());
        }
        command.env("MONGO_CACHE_URI", self.uri(servers, database));
        command
    }

    pub fn peer(&self, peer: Peer, servers: &Servers, queue: &SqsQueue, database: &str) -> Command {
        let endpoint = self.endpoint(servers);
        // Some ask where the URL of the queue says, whatever the endpoint is.
        let url = queue.url().replace(servers.sqs.endpoint(), &endpoint);
        peer.command(&endpoint, &url, &self.uri(servers, database), self.queue.is_some())
    }

    fn endpoint(&self, servers: &Servers) -> String {
        match &self.queue {
            Some(front) if front.certificate.is_some() => format!("https://{}", front.address()),
            Some(front) => format!("http://{}", front.address()),
            None => servers.sqs.endpoint().to_owned(),
        }
    }

    fn uri(&self, servers: &Servers, database: &str) -> String {
        match &self.database {
            // The member says where it listens, and would be asked there.
            Some(front) => {
                format!("mongodb://{}/{database}?directConnection=true", front.address())
            }
            None => servers.mongod.uri(database).expose().to_owned(),
        }
    }
}
