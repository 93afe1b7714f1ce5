//! Where the driver goes: it asks the hosts of the connection string what they are, and where they are
//! a replica set, it goes on to the members by the names that they have there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bson::{Document, doc};
use mongodb::Client;
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{
    ClientOptions, ReadPreference, SelectionCriteria, ServerAddress, ServerMonitoringMode,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::diagnosis::Diagnosis;
use super::error::MongoManagerError;
use super::transport::{is_here, is_plain};

/// How long the client that asks may take to close its connections, before the one that stays makes
/// its own.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The hosts that a client may log in at: those that were known at the start, and members that came
/// later.
pub(super) struct Reached {
    hosts: Mutex<Vec<ServerAddress>>,
    /// Whether a login goes without TLS, and only because all hosts were this machine.
    is_confined: bool,
}

impl Reached {
    pub(super) fn new(hosts: Vec<ServerAddress>, is_confined: bool) -> Self {
        Self { hosts: Mutex::new(hosts), is_confined }
    }

    pub(super) fn hosts(&self) -> MutexGuard<'_, Vec<ServerAddress>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by the driver. It goes to a new member at once, and nothing here can hold it back.
    pub(super) fn record(&self, event: &SdamEvent) {
        let SdamEvent::ServerOpening(opening) = event else { return };
        let mut hosts = self.hosts();
        if hosts.contains(&opening.address) {
            return;
        }
        hosts.push(opening.address.clone());
        if self.is_confined && !is_here(&opening.address) {
            tracing::error!(
                host = %opening.address,
                "the replica set has a new member on another machine, and the login goes there without TLS: add tls=true to the URI, or set \
                 db.allow_insecure to true; the worker does not start again as it is"
            );
        }
    }
}

/// The hosts that a client of these options may log in at, as they are known now.
///
/// Members are asked for only where that can change what is allowed: without TLS, and from hosts
/// that are all this machine. They are asked by a client that has no login, so that none is sent
/// before it is known where to.
///
/// # Errors
/// Where no server can be asked.
pub(super) async fn ask(
    options: &ClientOptions,
    diagnosis: &Arc<Diagnosis>,
) -> Result<Vec<ServerAddress>, MongoManagerError> {
    let mut reached = options.hosts.clone();
    if !is_plain(options) || stays(options) || !reached.iter().all(is_here) {
        return Ok(reached);
    }
    let mut options = options.clone();
    options.credential = None;
    options.min_pool_size = None;
    options.cmap_event_handler = None;
    // Another connection would watch the server, and outlive the client by ten seconds.
    options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
    let (is_over, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    options.sdam_event_handler = Some({
        let (diagnosis, is_over, ended) =
            (Arc::clone(diagnosis), Arc::clone(&is_over), Arc::clone(&ended));
        EventHandler::callback(move |event| match event {
            SdamEvent::TopologyClosed(_) => ended.notify_one(),
            // The client's own end looks like a failure of the server.
            _ if is_over.load(Ordering::Relaxed) => {}
            event => diagnosis.record(event),
        })
    });
    let client = Client::with_options(options).map_err(|error| diagnosis.explain(&error))?;
    let nearest = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
    let hello = doc! { "hello": 1 };
    let asked = client.database("admin").run_command(hello).selection_criteria(nearest).await;
    is_over.store(true, Ordering::Relaxed);
    // It is let go and not shut down. While the driver shuts down, a look at a server that fails at
    // once, as at a socket where nobody listens, is repeated without a pause until the last look is
    // over: the thread does nothing else any more, and where it is the only one, timers and signals
    // wait for ever.
    drop(client);
    let _ = timeout(END_TIMEOUT, ended.notified()).await;
    reached.extend(members(&asked.map_err(|error| diagnosis.explain(&error))?));
    Ok(reached)
}

/// Whether the driver takes the hosts that it is given for all there are.
fn stays(options: &ClientOptions) -> bool {
    options.direct_connection == Some(true) || options.load_balanced == Some(true)
}

/// None where the server is of no replica set.
/// <https://www.mongodb.com/docs/manual/reference/command/hello/#replica-sets>
fn members(hello: &Document) -> Vec<ServerAddress> {
    let named = |list: &str| hello.get_array(list).map(Vec::as_slice).unwrap_or_default().iter();
    let all = ["hosts", "passives", "arbiters"].into_iter().flat_map(named);
    // The driver goes to no name that it cannot read.
    all.filter_map(|member| ServerAddress::parse(member.as_str()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_all_that_the_driver_may_go_to() {
        let hello = doc! { "hosts": ["a:1", "b"], "passives": ["c:3"], "arbiters": ["d:4"] };
        let names: Vec<_> = members(&hello).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a:1", "b:27017", "c:3", "d:4"]);
        assert_eq!(members(&doc! { "msg": "isdbgrid" }), []);
    }
}
