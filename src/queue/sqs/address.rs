//! Where a queue is: what its URL tells, and how to name it to people.

use aws_sdk_sqs::config::Region;

/// A queue's address, for requests and for texts.
#[derive(Debug, Clone)]
pub(super) struct QueueAddress {
    pub url: String,
    pub region: String,
    /// Where requests go, if not to AWS. Without user and password.
    pub endpoint: Option<String>,
}

impl QueueAddress {
    pub fn new(url: &str, region: &Region, endpoint: Option<&str>) -> Self {
        Self {
            url: url.to_owned(),
            region: region.to_string(),
            endpoint: endpoint.map(without_user_info),
        }
    }

    /// The queue's own name: what stands behind the last slash.
    pub fn name(&self) -> &str {
        self.url.trim_end_matches('/').rsplit('/').next().unwrap_or(&self.url)
    }

    /// Whom requests go to.
    pub fn server(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("the SQS endpoint {endpoint}"),
            None => format!("SQS in {}", self.region),
        }
    }
}

/// The region that an AWS queue URL is in, by the host's name. Hosts are
/// `sqs.REGION.amazonaws.com`, also with `sqs-fips`, `.amazonaws.com.cn`, `.api.aws` (dual stack)
/// and other partitions' domains; VPC endpoints put labels before; older ones are
/// `REGION.queue.amazonaws.com` and `queue.amazonaws.com`, which is us-east-1.
///
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>
pub(super) fn region_of(queue_url: &str) -> Option<Region> {
    let (_, rest) = queue_url.split_once("://")?;
    let host = rest.split(['/', ':']).next()?.to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    if ![
        "amazonaws.com",
        "amazonaws.com.cn",
        "api.aws",
        "api.amazonwebservices.com.cn",
        "ic.gov",
        "sgov.gov",
        "amazonaws.eu",
    ]
    .iter()
    .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')))
    {
        return None;
    }
    let region = match labels.iter().position(|label| matches!(*label, "sqs" | "sqs-fips")) {
        Some(service) => labels.get(service + 1)?,
        None => match labels.iter().position(|label| *label == "queue")? {
            0 => "us-east-1",
            queue => labels[queue - 1],
        },
    };
    // A region has the form `eu-west-1`; `sqs.amazonaws.com` has none.
    region.contains('-').then(|| Region::new(region.to_owned()))
}

fn without_user_info(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_every_form_of_an_aws_queue_url() {
        for (url, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/portal", "eu-west-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/portal", "cn-north-1"),
            ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/portal", "us-gov-west-1"),
            ("https://sqs.us-east-2.api.aws/123456789012/portal", "us-east-2"),
            (
                "https://vpce-0a-1b.sqs.ap-south-1.vpce.amazonaws.com/123456789012/portal",
                "ap-south-1",
            ),
            ("https://sqs.us-iso-east-1.c2s.ic.gov/123456789012/portal", "us-iso-east-1"),
            ("https://eu-central-1.queue.amazonaws.com/123456789012/portal", "eu-central-1"),
            ("https://queue.amazonaws.com/123456789012/portal", "us-east-1"),
            ("HTTPS://SQS.EU-WEST-1.AMAZONAWS.COM:443/123456789012/portal", "eu-west-1"),
        ] {
            assert_eq!(region_of(url.to_lowercase().as_str()), Some(Region::new(region)), "{url}");
        }
    }

    #[test]
    fn a_url_elsewhere_tells_no_region() {
        for url in [
            "",
            "portal",
            "http://localhost:4566/000000000000/portal",
            "http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/portal",
            "https://sqs.eu-west-1.amazonaws.com.example.org/1/portal",
            "https://sqs.amazonaws.com/1/portal",
            "https://sqs.eu-west-1.notamazonaws.com/1/portal",
        ] {
            assert_eq!(region_of(url), None, "{url}");
        }
    }

    #[test]
    fn an_endpoint_is_named_without_its_password() {
        let address = QueueAddress::new(
            "http://h/0/portal.fifo",
            &Region::new("eu-west-1"),
            Some("http://user:pass@h:4566/x@y"),
        );
        assert_eq!(address.server(), "the SQS endpoint http://h:4566/x@y");
        assert_eq!(address.name(), "portal.fifo");
    }
}
