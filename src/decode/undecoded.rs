//! Why a message could not be decoded.

use crate::message::{Layers, Place, Reason, Rejection};

/// Why there is no record of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// It cannot be read, holds what cannot be stored, or has no type: see [`Reason`]. Another
    /// attempt ends the same.
    Rejected(Rejection),
    /// It takes more memory than it was given. With more it may be read.
    Outgrown,
}

/// How the text of a rejection begins that is about the body as a whole.
pub(super) const THE_BODY: &str = "the body";

impl Undecoded {
    /// The same where the body is that in an envelope: the text says which.
    pub(super) fn inside(self, place: &str) -> Self {
        match self {
            Self::Rejected(mut rejection) => {
                if let Some(rest) = rejection.text.strip_prefix(THE_BODY) {
                    rejection.text = format!("{place}{rest}");
                }
                Self::Rejected(rejection)
            }
            Self::Outgrown => Self::Outgrown,
        }
    }

    /// The same at this place of the text that is the innermost by now.
    pub(super) fn at(self, place: Place) -> Self {
        match self {
            Self::Rejected(rejection) => Self::Rejected(rejection.at(place)),
            Self::Outgrown => Self::Outgrown,
        }
    }

    /// The same where so many layers had been opened: the place, if there is one, is of the innermost.
    pub(super) fn within(self, layers: Layers) -> Self {
        match self {
            Self::Rejected(rejection) => Self::Rejected(rejection.within(layers)),
            Self::Outgrown => Self::Outgrown,
        }
    }
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
                "the message takes more memory than one message may: send less, or fewer fields, in one",
            )
            .at(Place::whole()),
        }
    }
}
