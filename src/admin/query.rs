//! The query of a request, as forms write it.

use percent_encoding::percent_decode_str;

use crate::harmless::harmless;

/// Bytes of a value. A record keeps 256 bytes of a type; an ARN, a slash and a message id are less than 200.
pub(super) const VALUE_BYTES_MAX: usize = 1_024;

/// The values of a query, in the order of `names`, which are all that there may be. An empty value is none.
///
/// # Errors
/// What is wrong with which parameter.
pub fn values<const COUNT: usize>(
    query: &str,
    names: [&str; COUNT],
) -> Result<[Option<String>; COUNT], String> {
    let mut values = [const { None }; COUNT];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(place) = names.iter().position(|known| *known == name) else {
            let name = harmless(name);
            return Err(match names[..] {
                [] => format!("{name}: there is no such parameter: none is taken here"),
                _ => format!("{name}: there is no such parameter: one of {}", names.join(", ")),
            });
        };
        let Some(text) = decoded(value) else {
            return Err(format!("{name}: must be UTF-8, percent-encoded"));
        };
        if text.len() > VALUE_BYTES_MAX {
            return Err(format!("{name}: must have {VALUE_BYTES_MAX} bytes at most"));
        }
        if values[place].is_some() {
            return Err(format!("{name}: must be given once"));
        }
        values[place] = Some(text).filter(|text| !text.is_empty());
    }
    Ok(values)
}

/// As forms of a page encode it.
fn decoded(value: &str) -> Option<String> {
    let value = value.replace('+', " ");
    percent_decode_str(&value).decode_utf8().ok().map(Into::into)
}
