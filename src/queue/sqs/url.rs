//! A URL of a server, taken apart once: whoever asks for its host, its scheme or its region asks here.

use std::fmt;

use aws_sdk_sqs::config::Region;
use http::Uri;

use super::region::region_of;
use crate::this_machine::is_this_machine;

/// Where a server is, without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrl {
    text: String,
    /// In lower case, without port; an IPv6 address without its brackets.
    host: String,
    is_plain: bool,
}

impl ServerUrl {
    /// `None` where it is no `http://` or `https://` URL with a host.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let is_plain = match scheme {
            "http" => true,
            "https" => false,
            _ => return None,
        };
        let address = authority.as_str().rsplit('@').next()?;
        let path = uri.path_and_query().map_or("", |path| path.as_str().trim_end_matches('/'));
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then(|| Self {
            text: format!("{scheme}://{address}{path}"),
            host: host.to_ascii_lowercase(),
            is_plain,
        })
    }

    /// Scheme and host alone.
    pub fn without_path(self) -> Self {
        let start = self.text.find("://").map_or(0, |at| at + 3);
        let end = self.text[start..].find(['/', '?']).map_or(self.text.len(), |at| start + at);
        Self { text: self.text[..end].to_owned(), ..self }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether requests go there without TLS.
    pub const fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }

    /// The region that the host's name tells.
    pub fn region(&self) -> Option<Region> {
        region_of(&self.host)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_in_every_form() {
        for (url, text, alone, host) in [
            ("http://h", "http://h", "http://h", "h"),
            ("http://H:1/x/", "http://H:1/x", "http://H:1", "h"),
            ("http://u:hunter2@h:1/x@y", "http://h:1/x@y", "http://h:1", "h"),
            ("HTTPS://[::1]:1/x", "https://[::1]:1/x", "https://[::1]:1", "::1"),
            ("https://h?a=b", "https://h?a=b", "https://h", "h"),
        ] {
            let read = ServerUrl::parse(url).expect(url);
            assert_eq!((read.as_str(), read.host()), (text, host), "{url}");
            assert_eq!(read.is_plain(), url.starts_with("http:"), "{url}");
            assert_eq!(read.without_path().as_str(), alone, "{url}");
        }
        for url in ["", "h:1", "portal", "ftp://h", "http://", "http:///x", "http://a b/"] {
            assert_eq!(ServerUrl::parse(url), None, "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_url_panics(url in "(https?://)?\\PC{0,40}") {
            let _ = ServerUrl::parse(&url).map(ServerUrl::without_path);
        }
    }
}
