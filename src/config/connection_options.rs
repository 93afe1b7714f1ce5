//! Names of the options that `db.connection_options` may hold.

use super::nearest;

/// The options of a connection string that the driver reads, as the MongoDB manual writes them
/// ("Connection Strings"). Without compressors and SOCKS5: this build has neither.
pub(crate) const NAMES: [&str; 36] = [
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "readConcernLevel",
    "readPreference",
    "readPreferenceTags",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "socketTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsInsecure",
    "uuidRepresentation",
    "w",
    "waitQueueTimeoutMS",
    "wTimeoutMS",
];

/// The name as the manual writes it: the environment loses upper case, and drivers ignore it.
pub(crate) fn canonical(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// Those that make a connection weaker: never what somebody is led to.
const WEAKENING: [&str; 2] = ["tlsAllowInvalidCertificates", "tlsInsecure"];

pub(crate) fn is_weakening(name: &str) -> bool {
    WEAKENING.contains(&name)
}

/// Options that the driver reads in a connection string and that are nothing to set here.
const READ_ONLY_IN_A_URI: [&str; 2] = ["enableOverloadRetargeting", "maxAdaptiveRetries"];

const AS_PYTHON_READS: &str =
    "it says how a Python program reads documents and changes nothing here, remove it";
const NO_PROXY: &str = "this build goes through no SOCKS5 proxy, remove it and give a host that is reached without one";
const ONE_PEM_FILE: &str =
    "put certificate and key into one PEM file, and name that in tlsCertificateKeyFile";
const PLAIN_KEY: &str = "this build reads no key that has a password: name a file in tlsCertificateKeyFile whose key has none, and let this \
                         user alone read it";
const NO_REVOCATION: &str = "the driver asks no list of revoked certificates, remove it";

/// Options that other drivers take, pymongo above all, and this one does not: what to do instead.
const OF_OTHERS: [(&str, &str); 30] = [
    ("compressors", "this build does not compress, remove it"),
    ("zlibCompressionLevel", "this build does not compress, remove it"),
    ("proxyHost", NO_PROXY),
    ("proxyPort", NO_PROXY),
    ("proxyUsername", NO_PROXY),
    ("proxyPassword", NO_PROXY),
    (
        "tlsAllowInvalidHostnames",
        "that the certificate names the host is always checked: remove it, and connect by a name that the certificate has",
    ),
    (
        "ssl_match_hostname",
        "that the certificate names the host is always checked: remove it, and connect by a name that the certificate has",
    ),
    (
        "ssl_cert_reqs",
        "the server's certificate is always checked: remove it, and name the authority that signed it in tlsCAFile",
    ),
    ("ssl_ca_certs", "its name is tlsCAFile now"),
    ("ssl_certfile", ONE_PEM_FILE),
    ("ssl_keyfile", ONE_PEM_FILE),
    ("ssl_pem_passphrase", PLAIN_KEY),
    ("tlsCertificateKeyFilePassword", PLAIN_KEY),
    ("ssl_crlfile", NO_REVOCATION),
    ("tlsCRLFile", NO_REVOCATION),
    ("tlsDisableCertificateRevocationCheck", NO_REVOCATION),
    ("tlsDisableOCSPEndpointCheck", NO_REVOCATION),
    ("wtimeout", "its name is wTimeoutMS here"),
    ("j", "its name is journal here"),
    ("fsync", "its name is journal here"),
    (
        "timeoutMS",
        "each command has its own limit here, and db.server_selection_timeout is that of the search for a server, remove it",
    ),
    ("waitQueueMultiple", "drivers no longer have it, remove it"),
    ("connect", "the connection is always tried at the start here, remove it"),
    ("tz_aware", AS_PYTHON_READS),
    ("tzinfo", AS_PYTHON_READS),
    ("datetime_conversion", AS_PYTHON_READS),
    ("document_class", AS_PYTHON_READS),
    ("type_registry", AS_PYTHON_READS),
    ("unicode_decode_error_handler", AS_PYTHON_READS),
];

/// What is wrong with an option that the driver does not take, and what to do. Its own words name
/// features of a library, and the option that is spelt alike, even where that one is weaker.
pub(crate) fn complaint(name: &str, value: &str) -> Option<String> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    if is("uuidRepresentation") && ["standard", "unspecified"].contains(&value) {
        return Some(format!(
            "uuidRepresentation={value} is not for this driver: UUIDs are written as the standard has them (subtype 4), remove it"
        ));
    }
    if canonical(name).is_some() || READ_ONLY_IN_A_URI.iter().any(|known| is(known)) {
        return None;
    }
    Some(unknown(name))
}

/// Of a name that is none of [`NAMES`].
pub(crate) fn unknown(name: &str) -> String {
    if let Some((name, instead)) =
        OF_OTHERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        return format!("{name} is not an option here: {instead}");
    }
    match nearest::name(name, NAMES.into_iter().filter(|known| !is_weakening(known))) {
        Some(meant) => format!("{name} is not an option here, did you mean {meant}?"),
        None => format!(
            "{name} is not an option here: the MongoDB manual's page on connection string options has the names"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_another_driver_says_what_to_do_and_none_leads_to_a_weaker_connection() {
        for (name, value, expected) in [
            ("compressors", "zstd", "does not compress, remove it"),
            ("uuidRepresentation", "standard", "subtype 4"),
            ("tlsallowinvalidhostnames", "true", "connect by a name that the certificate has"),
            ("tlsCertificateKeyFilePassword", "x", "whose key has none"),
            ("ssl_cert_reqs", "CERT_NONE", "name the authority that signed it in tlsCAFile"),
            ("wtimeout", "5", "wTimeoutMS"),
            ("tz_aware", "true", "changes nothing here"),
            ("maxPolSize", "3", "did you mean maxPoolSize?"),
            ("colour", "red", "the MongoDB manual's page"),
            ("tlsInsecur", "true", "the MongoDB manual's page"),
        ] {
            let text = complaint(name, value).unwrap_or_default();
            assert!(text.contains(expected), "{name}: {text}");
        }
        for (name, _) in OF_OTHERS {
            let text = complaint(name, "").unwrap_or_default();
            assert!(!WEAKENING.iter().any(|weak| text.contains(weak)), "{text}");
        }
        for (name, value) in [
            ("maxpoolsize", "3"),
            ("uuidRepresentation", "pythonLegacy"),
            ("maxAdaptiveRetries", "1"),
        ] {
            assert_eq!(complaint(name, value), None, "{name}");
        }
    }
}
