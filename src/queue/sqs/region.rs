//! What the host of a URL says of where it is.

use aws_sdk_sqs::config::Region;

/// What the queue URLs of `LocalStack` end with: a name in public DNS that resolves to loopback.
const LOCALSTACK: &str = "localhost.localstack.cloud";

pub(super) fn is_localstack(host: &str) -> bool {
    host.strip_suffix(LOCALSTACK).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The region that a host is in, by its name in lower case. Hosts are
/// `sqs.REGION.amazonaws.com`, also with `sqs-fips`, `.amazonaws.com.cn`, `.api.aws` (dual stack)
/// and other partitions' domains; VPC endpoints put labels before; older ones are
/// `REGION.queue.amazonaws.com` and `queue.amazonaws.com`, which is us-east-1.
///
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>
pub(super) fn region_of(host: &str) -> Option<Region> {
    let labels: Vec<&str> = host.split('.').collect();
    if ![
        "amazonaws.com",
        "amazonaws.com.cn",
        "api.aws",
        "api.amazonwebservices.com.cn",
        "ic.gov",
        "sgov.gov",
        "api.aws.scloud",
        "amazonaws.eu",
        "api.amazonwebservices.eu",
        "adc-e.uk",
        // LocalStack keeps queues by region too, and names it in the same place.
        LOCALSTACK,
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

#[cfg(test)]
mod tests {
    use super::super::url::ServerUrl;
    use super::*;

    fn of_url(url: &str) -> Option<Region> {
        ServerUrl::parse(url)?.region()
    }

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
            ("https://sqs-fips.us-east-1.api.aws/123456789012/portal", "us-east-1"),
            (
                "https://vpce-0a-1b.sqs.cn-north-1.vpce.amazonaws.com.cn/123456789012/portal",
                "cn-north-1",
            ),
            ("https://cn-north-1.queue.amazonaws.com.cn/123456789012/portal", "cn-north-1"),
            ("https://sqs.eusc-de-east-1.api.amazonwebservices.eu/1/portal", "eusc-de-east-1"),
            ("http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q", "eu-west-1"),
            ("HTTPS://SQS.EU-WEST-1.AMAZONAWS.COM:443/123456789012/portal", "eu-west-1"),
        ] {
            assert_eq!(of_url(url), Some(Region::new(region)), "{url}");
        }
    }

    #[test]
    fn a_url_elsewhere_tells_no_region() {
        for url in [
            "",
            "portal",
            "http://localhost:4566/000000000000/portal",
            "http://localhost.localstack.cloud:4566/000000000000/portal",
            "https://sqs.eu-west-1.amazonaws.com.example.org/1/portal",
            "https://sqs.amazonaws.com/1/portal",
            "https://sqs.eu-west-1.notamazonaws.com/1/portal",
        ] {
            assert_eq!(of_url(url), None, "{url}");
        }
    }
}
