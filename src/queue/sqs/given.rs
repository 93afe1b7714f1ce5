//! A queue whose surroundings are handed in: connections instead of a network, and another clock and
//! other credentials than this machine's. In the simulation it stands between the pipeline and a
//! server that exists in memory alone.
//!
//! It is in every build. Left out of some, what is shipped would be another transport than the one
//! that is proven.

use std::sync::{Arc, LazyLock};

use aws_sdk_sqs::config::{BehaviorVersion, SharedCredentialsProvider};
use aws_sdk_sqs::{Client, Config};

use super::address::QueueAddress;
use super::client::SqsQueue;
use super::connect::CONNECT_MAX;
use super::connects::Connects;
use super::credentials::LOAD_MAX;
use super::endpoint::{Endpoint, SaidBy};
use super::lean::{Bounds, Lean};
use super::login::Login;
use super::url::ServerUrl;
use super::{fault, ways};
use crate::clock::Clock;
use crate::queue::QueueFault;

/// What is otherwise read from settings, this machine and the queue.
pub struct Given {
    /// Of the queue, with the endpoint's host.
    pub url: String,
    pub region: String,
    pub fifo: bool,
    pub credentials: SharedCredentialsProvider,
    pub clock: Arc<dyn Clock>,
    pub connects: Box<dyn Connects>,
}

impl SqsQueue {
    /// A queue that receives, deletes and hides by the lean transport, over what is handed in. It
    /// has asked nothing yet. Other calls of it have no way to go.
    ///
    /// # Errors
    /// Where the URL cannot be used.
    pub fn given(given: Given) -> Result<Self, QueueFault> {
        let no_url = || fault::unusable(format!("{} is no URL of a server", given.url));
        let url = ServerUrl::parse(&given.url).ok_or_else(no_url)?;
        let address = QueueAddress {
            url: given.url,
            setting: "queue.url",
            region: given.region,
            endpoint: Endpoint { url: url.without_path(), said_by: SaidBy::QueueUrl },
            proxy: None,
        };
        let login = Login::new(given.credentials, LOAD_MAX);
        let bounds = Bounds { connect: CONNECT_MAX, idle: ways::IDLE_MAX };
        let lean = Lean::new(&address, login, given.clock, Some(given.connects), bounds)?;
        let queue = Self::new(address, WITHOUT_A_WAY.clone());
        Ok(Self { lean: Some(lean), fifo: given.fifo, ..queue })
    }
}

/// For all of them: each would take a while to make.
static WITHOUT_A_WAY: LazyLock<Client> = LazyLock::new(|| {
    Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build())
});
