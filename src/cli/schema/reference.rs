//! How one schema names another.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// The definition of this name, as a JSON pointer in a fragment (RFC 6901).
pub(super) fn to(name: &str) -> Value {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    json!({ "$ref": format!("#/$defs/{}", utf8_percent_encode(&escaped, NON_ALPHANUMERIC)) })
}
