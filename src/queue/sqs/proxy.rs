//! The proxy that the usual variables name: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`,
//! in upper case or lower. The SDK's client goes through it; what is here only says so, and says
//! what is wrong with a value that the client would pass over without a word.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::fault;
use crate::queue::QueueFault;

/// The variables that count for a scheme, the first wins. As the client reads them.
const fn variables(plain: bool) -> [&'static str; 4] {
    if plain {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    }
}

/// What requests to `endpoint` go through: its address without user and password, and the variable.
///
/// # Errors
/// Where a variable names a proxy that no request can go through.
pub(super) fn of_environment(endpoint: &str) -> Result<Option<(String, &'static str)>, QueueFault> {
    of(endpoint, &Matcher::from_env(), |name| std::env::var(name).ok())
}

fn of(
    endpoint: &str,
    matcher: &Matcher,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, &'static str)>, QueueFault> {
    let Ok(endpoint) = endpoint.parse::<Uri>() else { return Ok(None) };
    let plain = endpoint.scheme_str() == Some("http");
    let set = variables(plain)
        .into_iter()
        .find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    let Some((name, value)) = set else { return Ok(None) };
    let unusable = || {
        fault::unusable(format!(
            "{name} names no proxy that can be used: it must be http://HOST:PORT or https://HOST:PORT, with user and password before HOST \
             where the proxy wants them"
        ))
    };
    // Without what NO_PROXY takes out of it.
    let alone = Matcher::builder().all(value.as_str()).build();
    let named = alone.intercept(&endpoint).ok_or_else(unusable)?;
    if !matches!(named.uri().scheme_str(), Some("http" | "https")) {
        return Err(unusable());
    }
    let proxy = matcher.intercept(&endpoint);
    Ok(proxy.map(|proxy| (proxy.uri().to_string().trim_end_matches('/').to_owned(), name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "https://sqs.eu-west-1.amazonaws.com";

    fn with(name: &'static str, value: &'static str, no: &str) -> Option<(String, &'static str)> {
        let matcher = Matcher::builder().all(value).no(no).build();
        of(AWS, &matcher, |asked| (asked == name).then(|| value.to_owned())).expect("usable")
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let proxy = with("HTTPS_PROXY", "http://user:hunter2@proxy:3128", "");
        assert_eq!(proxy, Some(("http://proxy:3128".to_owned(), "HTTPS_PROXY")));
        assert_eq!(with("https_proxy", "proxy:3128", "").map(|proxy| proxy.1), Some("https_proxy"));
        assert_eq!(with("HTTPS_PROXY", "http://proxy:3128", ".amazonaws.com"), None);
        assert_eq!(with("HTTP_PROXY", "http://proxy:3128", ""), None, "it is for http alone");
    }

    #[test]
    fn a_proxy_that_no_request_can_go_through_is_refused() {
        for value in ["socks5://proxy:1", "ftp://proxy", "http://", "a b"] {
            let fault =
                of(AWS, &Matcher::builder().build(), |_| Some(value.to_owned())).expect_err(value);
            assert!(fault.text.starts_with("HTTPS_PROXY names no proxy"), "{fault}");
        }
    }
}
