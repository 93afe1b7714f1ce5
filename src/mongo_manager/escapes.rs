//! What must be percent-encoded in a connection string, and is not.

use std::fmt;

/// Advice about a connection string that cannot be read: only where user name or password have what
/// the driver takes for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    Fine,
    Missing,
}

impl Escapes {
    /// Of a connection string that may be broken. A `%` that begins no escape is one too.
    pub(super) fn of(uri: &str) -> Self {
        let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let Some((first, rest)) = after_scheme.split_once('@') else { return Self::Fine };
        // An @ in an option is none of the password.
        let before_path = rest.split(['/', '?']).next().unwrap_or(rest);
        let before_value = rest.split('=').next().unwrap_or(rest);
        let Some((user, password)) = first.split_once(':') else { return Self::Fine };
        let is_reserved = |text: &str| text.contains(['/', '?', '#', '[', ']', ':', '@']);
        let is_missing = is_reserved(user)
            || is_reserved(password)
            || before_path.contains('@')
            || before_value.contains('@')
            || [user, password].into_iter().any(has_broken_escape);
        if is_missing { Self::Missing } else { Self::Fine }
    }
}

fn has_broken_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let digits = after.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

impl fmt::Display for Escapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine => Ok(()),
            Self::Missing => f.write_str(
                "; in user name and password, each of : / ? # [ ] @ % must be percent-encoded (@ as %40)",
            ),
        }
    }
}
