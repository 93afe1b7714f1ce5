//! What could be read of a message that was refused, so that it can be found again.

use crate::message::Key;

/// What a refused message says of itself: nothing, where its body could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glimpse {
    /// The type by which it asked for a route: the route's name where it named one, otherwise the
    /// first name that it gave or its attribute `type`, cut off after [`KIND_BYTES_MAX`](Self::KIND_BYTES_MAX).
    pub kind: Option<String>,
    /// The key of the document that it changes, or the id that it gives its own.
    pub key: Option<Key>,
    /// Whose data it is: see [`user_fields`](super::DeadLettersConfig::user_fields).
    pub users: Vec<Key>,
}

impl Glimpse {
    /// Bytes of a type that are kept: a sender may write anything there, and an index holds it.
    pub const KIND_BYTES_MAX: usize = 256;

    /// That the message asked for this type.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        let mut end = kind.len().min(Self::KIND_BYTES_MAX);
        while !kind.is_char_boundary(end) {
            end -= 1;
        }
        Self { kind: Some(kind[..end].to_owned()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_any_length_is_cut_between_two_characters() {
        let kept = |kind: &str| Glimpse::of_kind(kind).kind.expect("a type").len();
        assert_eq!(kept("event"), 5);
        assert_eq!(kept(&"e".repeat(1_000)), Glimpse::KIND_BYTES_MAX);
        assert_eq!(kept(&"\u{20ac}".repeat(1_000)), 255, "three bytes each");
    }
}
