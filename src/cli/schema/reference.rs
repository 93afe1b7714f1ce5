//! How one schema names another.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// All but letters, digits and what else is never escaped (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The definition of this name, as a JSON pointer in a fragment (RFC 6901).
pub(super) fn to(name: &str) -> Value {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    json!({ "$ref": format!("#/$defs/{}", utf8_percent_encode(&escaped, ESCAPED)) })
}
