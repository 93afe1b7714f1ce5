//! Which names may be used: for collections, fields and routes.

use super::kinds::{Text, Texts};

/// A collection's name. The server allows 255 bytes with the database's name before it (MongoDB
/// manual, "Naming Restrictions").
pub(crate) const COLLECTION: Text = Text {
    expected: "a collection's name: 1 to 120 bytes, without $ or control characters, not starting with \"system.\"",
    accepts: |name| {
        !name.is_empty() && name.len() <= 120 && !name.starts_with("system.") && plain(name)
    },
};

/// A field that a route names. Also `_id`, which only a key may be.
pub(crate) const KEY_FIELD: Text = Text {
    expected: "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not type or _ingest",
    accepts: |name| name == "_id" || name == "id" || is_plain_field(name),
};

/// A field that a route gives a meaning, which `type` and `id` have already.
pub(crate) const FIELD: Text = Text {
    expected: "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not type, id, _id or _ingest",
    accepts: is_plain_field,
};

/// `_id` may stand in the list where it is the key.
pub(crate) const FIELDS: Texts = Texts {
    expected: "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not _ingest, and _id only as the key",
    accepts: |name| ["_id", "id", "type"].contains(&name) || is_plain_field(name),
    max: FIELDS_MAX,
};

/// Fields that may say whose data a message is.
pub(crate) const USER_FIELDS: Texts = Texts {
    expected: "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not type or _ingest",
    accepts: KEY_FIELD.accepts,
    max: 16,
};

/// Each field of a partial route is an expression of its own in the update: the server has bounds
/// too.
const FIELDS_MAX: usize = 256;

/// A host's name: letters, digits and hyphens between dots (RFC 1123, section 2.1), and the
/// underscore that container networks have in theirs.
pub(crate) fn is_host(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

/// Who may send: what the server gives as a `SenderId`. AWS has ids of users (`AIDA...`), of roles
/// (`AROA...`, and a colon and the session behind it, which is not compared) and of accounts; others
/// have what they like, `ElasticMQ` an address. An `@` would be a connection string's or a mistake.
pub(crate) const SENDERS: Texts = Texts {
    expected: "a SenderId: 1 to 128 visible ASCII characters such as AROAEXAMPLE, without @, and of a role only the part before the colon",
    accepts: |name| {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'@');
        (1..=128).contains(&name.len()) && name.bytes().all(plain)
    },
    max: 64,
};

/// A message type, and so the name of a route.
pub(crate) fn is_message_type(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control)
}

/// A field's name in an index, where a path into a document is allowed.
pub(crate) fn is_index_field(name: &str) -> bool {
    name.len() <= 255
        && name.split('.').all(|part| !part.is_empty() && plain(part))
        && name != "_id"
}

fn is_plain_field(name: &str) -> bool {
    // `type` may name the route, `id` the document; `_ingest` holds the versions.
    let taken = ["type", "id", "_id", "_ingest"];
    !name.is_empty()
        && name.len() <= 255
        && !name.contains('.')
        && plain(name)
        && !taken.contains(&name)
}

/// A connection string in the place of a name is a mistake, and would print its password.
fn plain(name: &str) -> bool {
    !name.contains('$') && !name.contains("://") && !name.chars().any(char::is_control)
}
