//! Why a message is rejected: the closed list of reasons, and the text for people.

use std::fmt;

/// Why a message is rejected. The code is one word for logs, metrics and the dead letter; the text
/// names the thing, the place and what to do, and holds no value from the message beyond names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    pub text: String,
    /// The server's error code, where the server refused the write.
    pub code: Option<i32>,
}

impl Rejection {
    #[must_use]
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), code: None }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// The reason codes of dead letters. The list is closed, so that a metric by reason has
        /// bounded cardinality.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The code as it stands in records, logs and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// The body is not a JSON object, or not UTF-8.
    BadJson = "bad_json",
    /// The envelope (SNS, EventBridge, CloudEvents) is broken.
    BadEnvelope = "bad_envelope",
    /// The body cannot be decompressed, or names an unknown encoding.
    BadEncoding = "bad_encoding",
    /// Larger than a bound: decompressed size, 16 MiB, 100 levels.
    TooLarge = "too_large",
    /// No type was given.
    MissingType = "missing_type",
    /// No route has this type.
    UnknownType = "unknown_type",
    /// Who sent it may not use the route.
    SenderDenied = "sender_denied",
    /// A field that the route requires is absent.
    MissingField = "missing_field",
    /// A field that the route does not declare.
    UnknownField = "unknown_field",
    /// A key or id that is absent, null, empty, too long, or of a type that cannot name a document.
    BadKey = "bad_key",
    /// A time that cannot be read, is out of range or too far ahead.
    BadTime = "bad_time",
    /// A name that cannot be stored: `$`, NUL, a dot at the top level, `_ingest`, twice in one
    /// object.
    BadName = "bad_name",
    /// A value that cannot be stored: an integer beyond int64, a broken Extended JSON value, an array
    /// or an object where an index stands.
    BadValue = "bad_value",
    /// The producer's id is there already, with other contents.
    IdConflict = "id_conflict",
    /// The server refused the document: validator, unique index, type, size, geo or index-key
    /// errors.
    StoreRejected = "store_rejected",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
