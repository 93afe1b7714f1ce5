//! What may be shown of a value that can hold a password.
//!
//! It shows only what it recognises, because the value may be broken: a password with an unescaped
//! `@` or `/` in it must stay hidden too.

/// Stands for what is hidden.
const STARS: &str = "***";

/// Stands for what a server says that quotes a request which was signed for AWS.
const SIGNED: &str =
    "(what it says is left out: it quotes the signed request, in which a session token may be)";

/// What stands in such a quotation, in lower case: AWS tells so what it would have signed.
const OF_SIGNED: [&str; 4] =
    ["x-amz-security-token", "aws4-hmac-sha256", "canonical string", "string-to-sign"];

/// What a server says, if it quotes no request that was signed for AWS.
pub(crate) fn unless_signed(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    if OF_SIGNED.iter().any(|part| lower.contains(part)) { SIGNED } else { text }
}

/// Options of a connection string whose values are no secrets. Others show stars.
const OPTIONS_SHOWN: [&str; 26] = [
    "appname",
    "authmechanism",
    "authsource",
    "connecttimeoutms",
    "directconnection",
    "heartbeatfrequencyms",
    "journal",
    "loadbalanced",
    "localthresholdms",
    "maxconnecting",
    "maxidletimems",
    "maxpoolsize",
    "maxstalenessseconds",
    "minpoolsize",
    "readconcernlevel",
    "readpreference",
    "replicaset",
    "retryreads",
    "retrywrites",
    "serverselectiontimeoutms",
    "sockettimeoutms",
    "ssl",
    "tls",
    "w",
    "waitqueuetimeoutms",
    "wtimeoutms",
];

/// Whether the value of the connection option `name` may be shown.
pub(crate) fn option_is_shown(name: &str) -> bool {
    OPTIONS_SHOWN.contains(&name.to_ascii_lowercase().as_str())
}

/// A URI with scheme, hosts, path and harmless options; whatever else it holds as stars.
pub(crate) fn uri(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return STARS.to_owned() };
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    {
        return STARS.to_owned();
    }
    // Up to the last @: an unescaped one may be part of the password.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (hosts, rest) = rest.split_at(end);
    if !hosts.split(',').all(is_host) {
        return format!("{scheme}://{STARS}");
    }
    let (path, query) =
        rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.~%".contains(&byte);
    let path = if path.bytes().all(plain) { path } else { "/***" };
    let query = query
        .map(|query| format!("?{}", query.split('&').map(option).collect::<Vec<_>>().join("&")));
    format!("{scheme}://{user}{hosts}{path}{}", query.unwrap_or_default())
}

/// Any value on its way into an error or a print: where it may hold a URI, only what is safe of it.
pub(crate) fn text(value: &str) -> String {
    if value.contains("://") {
        uri(value)
    } else if value.contains('@') {
        STARS.to_owned()
    } else {
        value.to_owned()
    }
}

/// A host name or address with an optional port. `user:password` without its `@` is none.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) => (name, port.strip_prefix(':').or(port.is_empty().then_some("0"))),
        None => host.split_once(':').map_or((host, Some("0")), |(name, port)| (name, Some(port))),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    name.bytes().all(plain) && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn option(pair: &str) -> String {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = if name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name.len() <= 40 {
        name
    } else {
        STARS
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte);
    let value = if option_is_shown(name) && value.bytes().all(plain) { value } else { STARS };
    format!("{name}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_shows_scheme_hosts_database_and_harmless_options() {
        let shown = [
            ("mongodb://127.0.0.1:27017/portal", "mongodb://127.0.0.1:27017/portal"),
            (
                "mongodb://u:pw@a:1,b:2/portal?replicaSet=rs0&w=majority",
                "mongodb://***@a:1,b:2/portal?replicaSet=rs0&w=majority",
            ),
            (
                "mongodb+srv://u:pw@cluster.example.net/portal",
                "mongodb+srv://***@cluster.example.net/portal",
            ),
            ("mongodb://u@[::1]:27017/portal", "mongodb://***@[::1]:27017/portal"),
            (
                "mongodb://h/db?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:tok",
                "mongodb://h/db?authMechanism=MONGODB-AWS&authMechanismProperties=***",
            ),
            (
                "https://sqs.eu-west-1.amazonaws.com/123456789012/portal",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/portal",
            ),
        ];
        for (value, expected) in shown {
            assert_eq!(uri(value), expected);
        }
    }

    #[test]
    fn a_broken_uri_shows_no_password() {
        for value in [
            "user:hunter22",
            "mongodb:user:hunter22@h/db",
            "mongodb://user:hunter22",
            "mongodb://user:hunter22/db",
            "mongodb://user:pa/hunter22@h/db",
            "mongodb://user:pa@hunter22@h/db",
            "mongodb://user:pa?hunter22@h/db",
            "mongodb://h/db?password=hunter22",
            "mongodb://h/db?hunter22",
            "mongodb://h/db?appName=user:hunter22",
            "mongodb://h/db#hunter22",
            "user:hunter22@://h/db",
        ] {
            assert!(!uri(value).contains("hunter22"), "{value} shows as {}", uri(value));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_password_is_ever_shown(password in "[a-z0-9@:/?#%&=,]{6,20}") {
            let value = format!("mongodb://user:{password}@H/D?replicaSet=R");
            proptest::prop_assert!(!uri(&value).contains(&password), "{}", uri(&value));
        }

        #[test]
        fn no_text_panics(value in "\\PC{0,60}") {
            let _ = (uri(&value), text(&value));
        }
    }

    #[test]
    fn what_quotes_a_signed_request_is_left_out_and_nothing_else_is() {
        for text in [
            "SignatureDoesNotMatch: 'POST\n/\nx-amz-security-token:FwoG'",
            "The String-to-Sign should have been 'AWS4-HMAC-SHA256 FwoG'",
        ] {
            assert!(!unless_signed(text).contains("FwoG"), "{text}");
        }
        assert_eq!(unless_signed("Authentication failed."), "Authentication failed.");
    }
}
