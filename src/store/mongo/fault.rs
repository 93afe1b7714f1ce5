//! What a refusal means, by its code, and what a driver's error means. Codes are those of the
//! server's `src/mongo/base/error_codes.yml` and of the assertions in its index code.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, SYSTEM_OVERLOADED_ERROR};

use crate::redact;
use crate::store::{StoreFault, StoreFaultKind};

use super::selection;

/// Bytes of a server's message that are kept.
const TEXT_BYTES_MAX: usize = 400;

pub const DUPLICATE_KEY: i32 = 11_000;

/// Not allowed, or not logged in any more: the code is the same.
pub const UNAUTHORIZED: i32 = 13;

const AUTHENTICATION_FAILED: i32 = 18;

/// A command took longer than its `maxTimeMS`. It has ended.
const MAX_TIME_EXPIRED: i32 = 50;

/// What the refusal of one write means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// It will never be taken as it is.
    Item,
    /// The server's own trouble: asked again, it may be taken.
    Server,
    Unclear,
}

/// Whether a connection that is refused with [`UNAUTHORIZED`] is not logged in any more. Otherwise a
/// right is missing: "not authorized on portal to execute command ..".
pub fn is_login_lost(text: &str) -> bool {
    text.contains("requires authentication")
}

/// Whether a new connection was refused the login.
pub fn is_login_refused(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Authentication { .. } => true,
        ErrorKind::Command(command) => command.code == AUTHENTICATION_FAILED,
        _ => false,
    }
}

/// Whether the server refuses what the collection is, whatever was to be written: a view, a
/// time-series or a capped collection. An index can be missing and writes go on; here none does.
pub fn is_of_the_collection(code: i32, text: &str) -> bool {
    match code {
        // CommandNotSupportedOnView, CannotGrowDocumentInCappedNamespace (before 5.0).
        166 | 10_003 => true,
        // InvalidOptions: "Cannot perform an update on a time-series collection ..".
        72 => text.contains("time-series"),
        // BadValue: "'t' must be present and contain a valid BSON UTC datetime value", which only
        // the time field of a time-series collection must.
        2 => text.contains("must be present and contain a valid BSON UTC datetime"),
        _ => false,
    }
}

/// Whose fault the refusal of one write is. `text` is what the server said.
#[expect(clippy::match_same_arms, reason = "grouped by cause")]
pub fn blame(code: i32, text: &str) -> Blame {
    match code {
        _ if is_of_the_collection(code, text) => Blame::Server,
        // BadValue, FailedToParse, Overflow, DollarPrefixedFieldName, EmptyFieldName,
        // ImmutableField, DocumentValidationFailure, and what is too large: a document, a value in
        // a pipeline, an index key, an updated or upserted document.
        2 | 9 | 15 | 52 | 56 | 66 | 121 | 10_334 | 13_548 | 16_493 | 17_280 | 17_419 | 17_420 => {
            Blame::Item
        }
        // Two arrays in one compound index, text index with a language that is no string or
        // unknown, array in a hashed index.
        171 | 10_088 | 17_261 | 17_262 | 16_766 => Blame::Item,
        // 2d and 2dsphere indexes: no point, too many or odd coordinates, out of bounds, no
        // geometry.
        13_022..=13_027 | 13_067 | 13_068 | 13_654 | 16_755 | 16_756 | 16_804 => Blame::Item,
        // A unique index; one on the key or the id has been looked at before.
        DUPLICATE_KEY => Blame::Item,
        // HostUnreachable, HostNotFound, LockTimeout, LockBusy, NetworkTimeout, MaxTimeMSExpired,
        // WriteConcernFailed, FailedToSatisfyReadPreference, PrimarySteppedDown,
        // ShutdownInProgress, WriteConflict, StaleEpoch, InterruptedDueToReplStateChange and its
        // kin.
        6 | 7 | 24 | 46 | 50 | 64 | 89 | 91 | 112 | 133 | 150 | 189 | 202 | 246 | 262 | 290
        | 314 | 317 | 358 | 462 => Blame::Server,
        // NamespaceNotFound, NamespaceExists: a collection that is being dropped or made.
        26 | 48 => Blame::Server,
        // NoProgressMade and ConflictingOperationInProgress (what a router answers for writes that
        // it gave up), TooManyFilesOpen, OutOfDiskSpace.
        82 | 117 | 264 | 14_031 => Blame::Server,
        // TemporarilyUnavailable (cache pressure), UserWritesBlocked (a switch, or a full disk),
        // and routing that has moved on.
        272 | 279 | 355 | 365 | 371 => Blame::Server,
        9_001 | 10_058 | 10_107 | 11_600..=11_602 | 13_388 | 13_435 | 13_436 => Blame::Server,
        _ => Blame::Unclear,
    }
}

/// Whether a whole command can have been refused for one write in it: it could not be read, or was
/// too large. Refused with these are also commands that a server is too old for, so a single write
/// is doubtful then, not rejected.
fn batch_can_be_at_fault(code: i32) -> bool {
    // BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, InvalidBSON, and the sizes.
    matches!(code, 2 | 9 | 14 | 15 | 16 | 22 | 10_334 | 17_280 | 17_419 | 17_420 | 40_414..=40_415)
}

/// A fault, and the server's code where the server named one.
#[derive(Debug)]
pub struct Refusal {
    pub fault: StoreFault,
    pub code: Option<i32>,
}

/// What a failed call means. The driver has chosen a server, and retried where that is safe, before
/// it fails.
pub fn refusal(error: &Error) -> Refusal {
    let (kind, code, text) = match &*error.kind {
        ErrorKind::Command(command) => {
            let kind = match command.code {
                UNAUTHORIZED if !is_login_lost(&command.message) => StoreFaultKind::Collection,
                // AuthenticationFailed, an expired login, and Atlas' own refusals.
                UNAUTHORIZED | 18 | 33 | 391 | 8_000 => StoreFaultKind::Denied,
                MAX_TIME_EXPIRED => StoreFaultKind::TimedOut,
                code if batch_can_be_at_fault(code) => StoreFaultKind::Refused,
                _ => StoreFaultKind::Unavailable,
            };
            (
                kind,
                Some(command.code),
                format!(
                    "{} ({}): {}",
                    command.code,
                    command.code_name,
                    without_values(&command.message)
                ),
            )
        }
        ErrorKind::Authentication { message, .. } | ErrorKind::InvalidTlsConfig { message, .. } => {
            (StoreFaultKind::Denied, None, message.clone())
        }
        ErrorKind::ServerSelection { message, .. } if is_tls(message) => {
            (StoreFaultKind::Denied, None, selection::brief(message))
        }
        ErrorKind::ServerSelection { message, .. } => {
            (StoreFaultKind::Unavailable, None, selection::brief(message))
        }
        ErrorKind::Io(source) if is_tls(&source.to_string()) => {
            (StoreFaultKind::Denied, None, source.to_string())
        }
        // A connection that could not be made broke no command.
        ErrorKind::Io(source) if error.contains_label(SYSTEM_OVERLOADED_ERROR) => {
            (StoreFaultKind::Unavailable, None, source.to_string())
        }
        ErrorKind::Io(source) => {
            (StoreFaultKind::ConnectionLost, None, format!("connection lost: {source}"))
        }
        ErrorKind::Bson(source) => (StoreFaultKind::Refused, None, source.to_string()),
        ErrorKind::InvalidArgument { message, .. } => {
            (StoreFaultKind::Refused, None, message.clone())
        }
        other => (StoreFaultKind::Unavailable, None, other.to_string()),
    };
    Refusal { fault: StoreFault { kind, text: bounded(redact::unless_signed(&text)) }, code }
}

/// A certificate that does not verify, or a handshake that the other side ended. The driver passes
/// on what rustls says.
fn is_tls(text: &str) -> bool {
    text.contains("certificate") || text.contains("fatal alert")
}

/// A call that was given up after `bound`.
pub fn no_answer(bound: Duration) -> Refusal {
    let text = format!("no reply within {} s", bound.as_secs());
    Refusal { fault: StoreFault { kind: StoreFaultKind::NoAnswer, text }, code: None }
}

/// A fault of the server's for which nothing is known.
pub fn unavailable(text: impl AsRef<str>) -> Refusal {
    Refusal {
        fault: StoreFault { kind: StoreFaultKind::Unavailable, text: bounded(text.as_ref()) },
        code: None,
    }
}

/// What it means that every write of a command was refused for a trouble of the server's. A router
/// puts into each of them what a server says of the command.
pub fn all_failed(codes: impl IntoIterator<Item = i32>, text: impl AsRef<str>) -> Refusal {
    let mut refusal = unavailable(text);
    if codes.into_iter().any(|code| code == MAX_TIME_EXPIRED) {
        refusal.fault.kind = StoreFaultKind::TimedOut;
    }
    refusal
}

/// Why what is there already could not be read, where a right is missing for that: the trouble of all
/// writes that need it.
pub fn unread(Refusal { fault: StoreFault { kind, text }, .. }: Refusal) -> Option<StoreFault> {
    let text = format!("what is there already could not be read: {text}");
    matches!(kind, StoreFaultKind::Denied | StoreFaultKind::Collection)
        .then_some(StoreFault { kind, text })
}

/// What a call that failed before anything of a write was sent means for the write: nothing in it
/// can be the cause.
pub fn before_a_write(fault: StoreFault) -> StoreFault {
    let kind = match fault.kind {
        kind @ (StoreFaultKind::Denied | StoreFaultKind::Collection) => kind,
        _ => StoreFaultKind::Unavailable,
    };
    StoreFault { kind, ..fault }
}

/// A server's message up to the first value of a document that it quotes: it puts documents in
/// braces and coordinates in brackets, and what stands behind may be values again (`lng: 200 lat:
/// 10`).
pub fn without_values(message: &str) -> String {
    const LANGUAGE: &str = "language override unsupported:";
    let value = message
        .find(['{', '['])
        .or_else(|| message.find(LANGUAGE).map(|start| start + LANGUAGE.len()));
    match value {
        Some(start) if message[start..].starts_with('{') => {
            bounded(&format!("{}{{..}}", &message[..start]))
        }
        Some(start) => bounded(&format!("{} ..", message[..start].trim_end())),
        None => bounded(message),
    }
}

/// At most [`TEXT_BYTES_MAX`], cut between characters.
pub fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}..", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use mongodb::error::CommandError;

    use super::*;

    fn command(code: i32) -> Error {
        let error: CommandError = bson::deserialize_from_document(doc! {
            "code": code, "codeName": "Name", "errmsg": "refused: { password: \"swordfish\" } so",
        })
        .expect("a command error");
        ErrorKind::Command(error).into()
    }

    #[test]
    fn what_a_failed_command_means_is_told_by_its_code() {
        for (code, kind) in [
            (13, StoreFaultKind::Collection),
            (18, StoreFaultKind::Denied),
            (9, StoreFaultKind::Refused),
            (10_334, StoreFaultKind::Refused),
            (10_107, StoreFaultKind::Unavailable),
            (91, StoreFaultKind::Unavailable),
            (50, StoreFaultKind::TimedOut),
            (4_242, StoreFaultKind::Unavailable),
        ] {
            let refusal = refusal(&command(code));
            assert_eq!((refusal.fault.kind, refusal.code), (kind, Some(code)));
            assert_eq!(refusal.fault.text, format!("{code} (Name): refused: {{..}}"));
        }
    }

    #[test]
    fn a_login_that_is_lost_is_told_from_a_right_that_is_missing() {
        for (text, kind) in [
            ("command insert requires authentication", StoreFaultKind::Denied),
            ("not authorized on portal to execute command", StoreFaultKind::Collection),
        ] {
            let error: CommandError = bson::deserialize_from_document(
                doc! { "code": 13, "codeName": "Unauthorized", "errmsg": text },
            )
            .expect("a command error");
            assert_eq!(refusal(&ErrorKind::Command(error).into()).fault.kind, kind, "{text}");
        }
    }

    #[test]
    fn a_connection_that_breaks_in_a_command_is_lost_and_a_bad_certificate_is_denied() {
        let io = |text: &str| Error::from(std::io::Error::other(text.to_owned()));
        assert_eq!(refusal(&io("connection reset")).fault.kind, StoreFaultKind::ConnectionLost);
        assert_eq!(
            refusal(&io("invalid peer certificate: UnknownIssuer")).fault.kind,
            StoreFaultKind::Denied
        );
    }

    #[test]
    fn text_is_bounded_between_characters() {
        let text = bounded(&"é".repeat(TEXT_BYTES_MAX));
        assert!(text.len() <= TEXT_BYTES_MAX + 2 && text.ends_with("é.."));
        for (message, shown) in [
            ("cut { off", "cut {..}"),
            (
                "Can't extract geo keys: { _id: 1 }  Longitude/latitude is out of bounds, lng: 200 lat: 10",
                "Can't extract geo keys: {..}",
            ),
            ("Loop is not closed: [ [ 1, 2 ], [ 3, 4 ] ]", "Loop is not closed: .."),
            ("language override unsupported: swordfish", "language override unsupported: .."),
            ("Document failed validation", "Document failed validation"),
        ] {
            assert_eq!(without_values(message), shown);
        }
    }

    #[test]
    fn an_unknown_code_is_neither_the_items_fault_nor_the_servers() {
        assert_eq!(
            (blame(121, ""), blame(112, ""), blame(82, ""), blame(4_242, "")),
            (Blame::Item, Blame::Server, Blame::Server, Blame::Unclear)
        );
    }

    #[test]
    fn what_the_collection_is_is_the_servers_trouble_and_the_same_code_for_a_value_is_not() {
        for (code, text, expected) in [
            (166, "Namespace portal.sessions is a view, not a collection", Blame::Server),
            (72, "Cannot perform an update on a time-series collection", Blame::Server),
            (72, "some other option", Blame::Unclear),
            (2, "'t' must be present and contain a valid BSON UTC datetime value", Blame::Server),
            (2, "unknown operator", Blame::Item),
            (26, "ns not found", Blame::Server),
        ] {
            assert_eq!(blame(code, text), expected, "{code} {text}");
        }
    }
}
