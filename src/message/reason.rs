//! The closed list of reasons, with what each means and what usually fixes it: told once here, for
//! `longshore try` and for `docs/DEAD_LETTERS.md`.

use std::fmt;

macro_rules! reasons {
    ($($variant:ident = $code:literal { means: $meaning:literal, fix: $fix:literal })*) => {
        /// The reason codes of dead letters. The list is closed, so that a metric by reason has
        /// bounded cardinality; a code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $meaning] $variant,)* }

        impl Reason {
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The code as it stands in records, logs and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }

            /// What is wrong with such messages: sentences.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$variant => $meaning,)* }
            }

            /// What usually fixes it: sentences. The text of a rejection is about its message, and comes
            /// first.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $(Reason::$variant => $fix,)* }
            }
        }
    };
}

reasons! {
    BadJson = "bad_json" {
        means: "The body is not one JSON object in UTF-8, or what an envelope holds is not.",
        fix: "Let the producer's JSON library write the object, with nothing around it. The text says what was found instead."
    }
    BadEnvelope = "bad_envelope" {
        means: "The body is an envelope of SNS, EventBridge or CloudEvents, and something that such an envelope must have is missing or of another type; or there are more than three around each other.",
        fix: "Correct whoever makes the envelope, or leave its kind out of `message.envelopes` if it is none. A request to confirm a subscription is confirmed by its SubscribeURL."
    }
    BadEncoding = "bad_encoding" {
        means: "The attribute `content-encoding` names an encoding that is not read, or the body is not packed as it says.",
        fix: "Send base64 of gzip or zstd and name that in `content-encoding`, or send plain JSON without the attribute."
    }
    TooLarge = "too_large" {
        means: "The message passes a bound: of the unpacked body, of the document, of 100 levels, or of the memory for one message.",
        fix: "Send less in one message, or raise the setting that the text names."
    }
    MissingType = "missing_type" {
        means: "The message has no type, so no route can be chosen.",
        fix: "Send the name of a route in the field `type`, in a message attribute `type`, or as the type of an envelope."
    }
    UnknownType = "unknown_type" {
        means: "The message has a type, and no route has that name.",
        fix: "Correct the name at the producer, map it to a route in `message.types`, or configure a route for it."
    }
    SenderDenied = "sender_denied" {
        means: "The route lists its senders, and whoever sent the message is none of them, or the queue does not say who it was.",
        fix: "Send with the credentials of a listed sender, or add this one to `senders` of the route."
    }
    MissingField = "missing_field" {
        means: "A field that the route requires is not in the message, or is null.",
        fix: "Send the field with a value, or take it out of `required` of the route."
    }
    UnknownField = "unknown_field" {
        means: "The message has a field that its route does not declare. Routes that write `set` take declared fields only.",
        fix: "Leave the field out, or add it to `fields` of the route."
    }
    BadKey = "bad_key" {
        means: "The key or id is missing, null, empty, too long, or of a type that cannot name a document. Or what gives the message its identity cannot be read: the id of an envelope, or the attributes `longshore-id`, `longshore-time` and `longshore-sequence`.",
        fix: "Where the text names a key or an id: send a text of 1 to 1024 bytes, an integer, an ObjectId or a UUID. A key such as 123.0 comes from a column of floats: convert it to an integer first. Where the text names an attribute or an envelope: do what it says there, such as sending `longshore-id` and `longshore-time` together."
    }
    BadTime = "bad_time" {
        means: "A time cannot be read, is out of range, or is too far ahead of the time of sending.",
        fix: "Send RFC 3339 with an offset, or epoch seconds or milliseconds. Where it is ahead, set the producer's clock right."
    }
    BadName = "bad_name" {
        means: "A field has a name that cannot be stored as it is: it begins with `$`, holds a NUL, has a dot or is empty where there is a key, is `_id` or `_ingest`, or stands twice in one object.",
        fix: "Rename the field at the producer. An `_id` of the producer's own goes into the field `id`."
    }
    BadValue = "bad_value" {
        means: "A field has a value that cannot be stored: a number that is too large, a broken Extended JSON value, or something that may not stand in an index.",
        fix: "Send such a number as a text or as `$numberDecimal`, and one short value where an index is."
    }
    IdConflict = "id_conflict" {
        means: "A document with this id is in the collection already, and it was made of another message.",
        fix: "Give each event an id of its own. If only what a retry changes differs, name that field in `volatile` of the route. What was refused becomes an event of its own by `longshore dead-letters replay --new-id`."
    }
    StoreRejected = "store_rejected" {
        means: "The database refuses the document: by a validator, a unique index, or a rule of an index. `server_code` is the server's error code.",
        fix: "Compare the message with the collection's validator and indexes, and change the one that is wrong."
    }
}

impl Reason {
    /// The reason of this code.
    ///
    /// # Errors
    /// All codes that there are.
    pub fn named(code: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|reason| reason.code() == code);
        found.ok_or_else(|| {
            let codes: Vec<_> = Self::ALL.iter().map(|reason| reason.code()).collect();
            format!("there is no such reason: one of {}", codes.join(", "))
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_there_is_not_is_answered_with_those_that_there_are() {
        assert_eq!(Reason::named("bad_time"), Ok(Reason::BadTime));
        let told = Reason::named("bad").expect_err("no reason");
        assert!(told.contains("bad_time, "), "{told}");
    }
}
