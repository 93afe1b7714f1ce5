//! Why a message could not be decoded.

use crate::message::{Reason, Rejection};

/// Why there is no record of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// It cannot be read, holds what cannot be stored, or has no type: see [`Reason`]. Another
    /// attempt ends the same.
    Rejected(Rejection),
    /// It takes more memory than it was given. With more it may be read.
    Outgrown,
}

impl From<Rejection> for Undecoded {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Undecoded> for Rejection {
    /// For a message that was given all that one message may have.
    fn from(undecoded: Undecoded) -> Self {
        match undecoded {
            Undecoded::Rejected(rejection) => rejection,
            Undecoded::Outgrown => Self::new(
                Reason::TooLarge,
                "the message takes more memory than one may: send less, or fewer fields, in one",
            ),
        }
    }
}
