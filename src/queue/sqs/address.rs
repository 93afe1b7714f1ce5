//! Where a queue is: what its URL tells, and how to name it to people.

use super::endpoint::{Endpoint, SaidBy};
use crate::queue::name;

/// A queue's address, for requests and for texts.
#[derive(Debug, Clone)]
pub(super) struct QueueAddress {
    pub url: String,
    /// The setting that names the URL.
    pub setting: &'static str,
    pub region: String,
    pub endpoint: Endpoint,
    /// What requests go through, and the variable that says so.
    pub proxy: Option<(String, &'static str)>,
}

impl QueueAddress {
    /// The queue's own name: what stands behind the last slash.
    pub fn name(&self) -> &str {
        name::of_url(&self.url)
    }

    /// Whom requests go to.
    pub fn server(&self) -> String {
        format!("the SQS endpoint {}", self.endpoint.url)
    }

    /// What the proxy is, after [`Self::server`].
    pub fn by_proxy(&self) -> String {
        match &self.proxy {
            Some((proxy, variable)) => format!(" through the proxy {proxy} of {variable}"),
            None => String::new(),
        }
    }

    /// What says where requests go, after "check the network".
    pub fn said_by(&self) -> String {
        let proxy = match &self.proxy {
            Some((_, variable)) => format!(", the proxy ({variable})"),
            None => String::new(),
        };
        match self.endpoint.said_by {
            SaidBy::Wish(wish) => {
                let (setting, region) = (wish.setting(), &self.region);
                format!(
                    "{proxy}, {}, {setting}, and whether SQS has that in {region}",
                    self.setting
                )
            }
            said_by => format!("{proxy} and {}", self.name_of(said_by)),
        }
    }

    /// What can be wrong where the queue is not found.
    pub fn what_to_check(&self) -> String {
        let url = format!("{} ({})", self.setting, self.url);
        match self.endpoint.said_by {
            SaidBy::QueueUrl | SaidBy::Wish(_) => url,
            said_by => format!("{url} and {}", self.name_of(said_by)),
        }
    }

    fn name_of(&self, said_by: SaidBy) -> &'static str {
        if said_by == SaidBy::QueueUrl { self.setting } else { said_by.name() }
    }

    /// Where requests go, who said so, and how they are kept from others, for people.
    pub fn way(&self) -> String {
        let Endpoint { url, said_by } = &self.endpoint;
        let secrecy = match url.is_plain() {
            false => "by TLS",
            true if url.is_this_machine() => "without TLS, on this machine",
            true => "without TLS, which queue.allow_insecure allows",
        };
        let comma = if self.proxy.is_some() { "," } else { "" };
        let (name, region, by_proxy) = (self.name_of(*said_by), &self.region, self.by_proxy());
        format!("{url} (by {name}), region {region}, {secrecy}{comma}{by_proxy}")
    }
}
