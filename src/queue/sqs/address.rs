//! Where a queue is: what its URL tells, and how to name it to people.

use super::endpoint::{Endpoint, SaidBy};

/// A queue's address, for requests and for texts.
#[derive(Debug, Clone)]
pub(super) struct QueueAddress {
    pub url: String,
    pub region: String,
    /// Where requests go; `None` where the SDK makes it of the region.
    pub endpoint: Option<Endpoint>,
    /// What requests go through, and the variable that says so.
    pub proxy: Option<(String, &'static str)>,
}

impl QueueAddress {
    /// The queue's own name: what stands behind the last slash.
    pub fn name(&self) -> &str {
        self.url.trim_end_matches('/').rsplit('/').next().unwrap_or(&self.url)
    }

    /// Whom requests go to.
    pub fn server(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("the SQS endpoint {}", endpoint.url),
            None => format!("SQS in {}", self.region),
        }
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
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.said_by.name(),
            None => "queue.region, and that SQS has a FIPS or dual-stack endpoint there",
        };
        match &self.proxy {
            Some((_, variable)) => format!(", the proxy ({variable}) and {endpoint}"),
            None => format!(" and {endpoint}"),
        }
    }

    /// What can be wrong where the queue is not found.
    pub fn what_to_check(&self) -> String {
        let url = format!("queue.url ({})", self.url);
        match &self.endpoint {
            Some(endpoint) if endpoint.said_by == SaidBy::QueueUrl => url,
            Some(endpoint) => format!("{url} and {}", endpoint.said_by.name()),
            None => format!("{url} and queue.region"),
        }
    }

    /// Where requests go, who said so, and how they are kept from others, for people.
    pub fn way(&self) -> String {
        let to = match &self.endpoint {
            Some(endpoint) => format!("{} (by {})", endpoint.url, endpoint.said_by.name()),
            None => "the FIPS or dual-stack endpoint of the region".to_owned(),
        };
        let plain = self.endpoint.as_ref().is_some_and(Endpoint::is_plain);
        let secrecy = match plain {
            false => "by TLS",
            true if self.endpoint.as_ref().is_some_and(Endpoint::is_this_machine) => {
                "without TLS, on this machine"
            }
            true => "without TLS, which queue.allow_insecure allows",
        };
        format!("{to}, region {}, {secrecy}{}", self.region, self.by_proxy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_what_stands_behind_the_last_slash() {
        let address = |url: &str| QueueAddress {
            url: url.to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            proxy: None,
        };
        assert_eq!(address("http://h/0/portal.fifo").name(), "portal.fifo");
        assert_eq!(address("http://h/0/portal/").name(), "portal");
    }
}
