//! The proxy that the usual variables name: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`,
//! in upper case or lower. The SDK's client goes through it; what is here only says so, says what is
//! wrong with a value that the client would pass over without a word, and says for which hosts no
//! proxy counts.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::fault;
use super::url::ServerUrl;
use crate::queue::QueueFault;
use crate::this_machine::is_this_machine;

/// The variables of a kind, as the client reads them: of two that are set, the first counts, also
/// where it is empty.
type Names = [&'static str; 2];

const HTTPS: Names = ["HTTPS_PROXY", "https_proxy"];
const HTTP: Names = ["HTTP_PROXY", "http_proxy"];
const ALL: Names = ["ALL_PROXY", "all_proxy"];
const NONE_FOR: Names = ["NO_PROXY", "no_proxy"];

/// Under CGI, `HTTP_PROXY` may come from a request's header; the client then takes no proxy at all.
const CGI: &str = "REQUEST_METHOD";

/// Whether a host is asked straight, whatever the variables say: this machine, and what is on its own
/// link, which are the metadata services. A proxy would ask its own. <https://curl.se/docs/manpage.html#--noproxy>
/// says the same of this machine; the ranges are those of
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>.
pub(super) fn is_passed_over_for(host: &str) -> bool {
    is_this_machine(host)
        || match host.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_unicast_link_local() || matches!(ip.segments(), [0xfd00, 0x0ec2, ..])
            }
            Err(_) => false,
        }
}

/// What requests to `url` go through: its address without user and password, and the variable.
///
/// # Errors
/// Where a variable names a proxy that no request can go through.
pub(super) fn of_environment(
    url: &ServerUrl,
) -> Result<Option<(String, &'static str)>, QueueFault> {
    of(url, |name| std::env::var(name).ok())
}

fn of(
    url: &ServerUrl,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, &'static str)>, QueueFault> {
    let first = |names: Names| names.into_iter().find_map(|name| Some((name, variable(name)?)));
    let own = first(if url.is_plain() { HTTP } else { HTTPS });
    let set = [own, first(ALL)].into_iter().flatten().find(|(_, value)| !value.is_empty());
    let (Some((name, value)), Ok(uri)) = (set, url.as_str().parse::<Uri>()) else {
        return Ok(None);
    };
    let none_for = first(NONE_FOR).map(|(_, hosts)| hosts).unwrap_or_default();
    let any = Matcher::builder().all("http://proxy").no(none_for).build();
    if is_passed_over_for(url.host()) || variable(CGI).is_some() || any.intercept(&uri).is_none() {
        return Ok(None);
    }
    let named = Matcher::builder().all(value).build().intercept(&uri);
    let usable = named.filter(|proxy| matches!(proxy.uri().scheme_str(), Some("http" | "https")));
    let proxy = usable.ok_or_else(|| {
        fault::unusable(format!(
            "{name} names no proxy that can be used: it must be http://HOST:PORT or https://HOST:PORT, with user and password before HOST \
             where the proxy wants them"
        ))
    })?;
    Ok(Some((proxy.uri().to_string().trim_end_matches('/').to_owned(), name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "https://sqs.eu-west-1.amazonaws.com";

    fn to(url: &str, set: &[(&str, &str)]) -> Result<Option<(String, &'static str)>, QueueFault> {
        of(&ServerUrl::parse(url).expect("a URL"), |asked| {
            set.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    fn named(url: &str, set: &[(&str, &str)]) -> Option<&'static str> {
        to(url, set).expect("usable").map(|(_, name)| name)
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let proxy = to(AWS, &[("HTTPS_PROXY", "http://user:hunter2@proxy:3128")]).expect("usable");
        assert_eq!(proxy, Some(("http://proxy:3128".to_owned(), "HTTPS_PROXY")));
    }

    #[test]
    fn the_variables_count_as_the_client_reads_them() {
        let proxy = "proxy:3128";
        for (set, name) in [
            (&[("https_proxy", proxy)][..], Some("https_proxy")),
            (&[("HTTP_PROXY", proxy)], None),
            (&[("all_proxy", proxy)], Some("all_proxy")),
            (&[("HTTPS_PROXY", ""), ("https_proxy", proxy)], None),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", proxy)], Some("ALL_PROXY")),
            (&[("ALL_PROXY", ""), ("all_proxy", proxy)], None),
            (&[("HTTPS_PROXY", proxy), ("NO_PROXY", ".amazonaws.com")], None),
            (
                &[("HTTPS_PROXY", proxy), ("NO_PROXY", ""), ("no_proxy", ".amazonaws.com")],
                Some("HTTPS_PROXY"),
            ),
            (&[("HTTPS_PROXY", proxy), ("REQUEST_METHOD", "GET")], None),
        ] {
            assert_eq!(named(AWS, set), name, "{set:?}");
        }
    }

    #[test]
    fn no_proxy_counts_for_this_machine_and_its_own_link() {
        for host in [
            "localhost",
            "127.0.0.1:4566",
            "[::1]:1",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
        ] {
            let url = format!("http://{host}");
            assert_eq!(named(&url, &[("HTTP_PROXY", "proxy:1")]), None, "{host}");
        }
        for host in ["sqs", "10.0.0.1", "[fd00::1]", "localhost.example"] {
            let url = format!("http://{host}");
            assert_eq!(named(&url, &[("HTTP_PROXY", "proxy:1")]), Some("HTTP_PROXY"), "{host}");
        }
    }

    #[test]
    fn a_proxy_that_no_request_can_go_through_is_refused_where_one_would() {
        for value in ["socks5://proxy:1", "ftp://proxy", "http://", "a b"] {
            let fault = to(AWS, &[("ALL_PROXY", value)]).expect_err(value);
            assert!(fault.text.starts_with("ALL_PROXY names no proxy"), "{fault}");
            let spared = [("ALL_PROXY", value), ("NO_PROXY", "amazonaws.com")];
            assert_eq!(named(AWS, &spared), None, "{value}");
            assert_eq!(named("http://127.0.0.1:1", &[("ALL_PROXY", value)]), None, "{value}");
        }
    }
}
