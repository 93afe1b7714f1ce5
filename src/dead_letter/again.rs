//! A message that is put back. It stays the message that it was: the queue gives it another id and another
//! time, so those that it had go along as attributes.

use bson::Document;

use super::original::message_of;
use crate::message::origin::{ID_ATTRIBUTE, SEQUENCE_ATTRIBUTE, TIME_ATTRIBUTE};
use crate::message::{Attribute, Identity, Origin, QueueMessage};
use crate::time::Time;

/// The message of a record, with its identity among its attributes where the queue gave it. Sent any
/// number of times, it is one message. `None` where the record does not say what was sent.
#[must_use]
pub fn again(record: &Document) -> Option<QueueMessage> {
    let mut message = message_of(record)?;
    let origin = origin_of(record, &message)?;
    identify(&mut message, &origin);
    Some(message)
}

/// Who sent the message when, as its record says. `None` where it does not.
pub(super) fn origin_of(record: &Document, message: &QueueMessage) -> Option<Origin> {
    let sequence = record.get_str("origin_sequence").ok().and_then(|digits| digits.parse().ok());
    Some(Origin {
        identity: identity(record, message),
        time: time(record)?,
        sequence: sequence.unwrap_or_default(),
        id: record.get_str("origin_id").ok()?.as_bytes().into(),
    })
}

/// Gives a message that is sent once more the identity that it has, where that is not in it: what its queue
/// gave, or the time at which it was first sent.
pub fn identify(message: &mut QueueMessage, origin: &Origin) {
    match origin.identity {
        // A line is put back by loading its file again.
        Identity::Given | Identity::Line(_) => {}
        // The rest is in its envelope.
        Identity::GivenWithoutTime => give(message, TIME_ATTRIBUTE, origin.time.rfc3339()),
        Identity::Queue => {
            // One that its sender gave and that cannot be read is why it was refused, and still is.
            let is_given = [ID_ATTRIBUTE, TIME_ATTRIBUTE, SEQUENCE_ATTRIBUTE]
                .iter()
                .any(|name| message.text(name).is_some());
            if is_given {
                return;
            }
            give(message, ID_ATTRIBUTE, String::from_utf8_lossy(&origin.id).into_owned());
            give(message, TIME_ATTRIBUTE, origin.time.rfc3339());
            if origin.sequence > 0 {
                give(message, SEQUENCE_ATTRIBUTE, origin.sequence.to_string());
            }
        }
    }
}

/// Gives it another identity, of the same time, in place of the one that the producer gave: the same one each time.
pub fn rename(message: &mut QueueMessage, record: &Document) {
    let (Ok(id), Some(time)) = (record.get_str("_id"), time(record)) else { return };
    message.attributes.retain(|(name, _)| name != SEQUENCE_ATTRIBUTE);
    give(message, ID_ATTRIBUTE, id.to_owned());
    give(message, TIME_ATTRIBUTE, time.rfc3339());
}

fn time(record: &Document) -> Option<Time> {
    let millis = record.get_datetime("origin_time").ok()?.timestamp_millis();
    let nanos = record.get_i32("origin_nanos").unwrap_or_default();
    Time::from_nanos(i128::from(millis) * 1_000_000 + i128::from(nanos)).ok()
}

fn give(message: &mut QueueMessage, name: &str, value: String) {
    message.attributes.retain(|(other, _)| other != name);
    message.attributes.push((name.to_owned(), Attribute::Text(value)));
}

/// Who gave it. A record of an earlier schema version does not say: there the queue did if what the record
/// has is what the queue says.
fn identity(record: &Document, message: &QueueMessage) -> Identity {
    let names = [Identity::Queue, Identity::Given, Identity::GivenWithoutTime];
    let said = record.get_str("origin_identity").ok();
    if let Some(identity) = names.into_iter().find(|identity| said == Some(identity.name())) {
        return identity;
    }
    let is_queues = record.get_str("origin_id").ok() == Some(&message.message_id)
        && record.get_datetime("origin_time").ok() == record.get_datetime("sent").ok();
    if is_queues { Identity::Queue } else { Identity::Given }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc};

    use super::*;

    fn record() -> Document {
        doc! {
            "_id": "00ff", "message_id": "m-1", "origin_identity": "queue",
            "origin_time": DateTime::from_millis(1_795_341_600_001), "origin_nanos": 0,
            "origin_sequence": "0", "origin_id": "m-1", "receive_count": 1_i64,
            "sent": DateTime::from_millis(1_795_341_600_001),
            "attributes": [{ "name": "type", "value": "event" }], "body": "{}",
        }
    }

    fn with(change: Document) -> Document {
        let mut record = record();
        record.extend(change);
        record
    }

    fn names(message: &QueueMessage) -> Vec<&str> {
        message.attributes.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn what_the_queue_gave_goes_along() {
        for sequence in ["0", "18446744073709551616"] {
            let message = again(&with(doc! { "origin_sequence": sequence })).expect("a body");
            let origin = Origin::of_attributes(&message).expect("read").expect("given");
            assert_eq!(origin.time.millis(), 1_795_341_600_001);
            assert_eq!(
                (&*origin.id, origin.sequence.to_string().as_str()),
                (&b"m-1"[..], sequence)
            );
        }
        assert_eq!(
            names(&again(&record()).expect("a body")),
            ["type", ID_ATTRIBUTE, TIME_ATTRIBUTE]
        );
    }

    #[test]
    fn half_an_identity_is_still_half_of_one() {
        let attributes = vec![doc! { "name": ID_ATTRIBUTE, "value": "mine" }];
        let message = again(&with(doc! { "attributes": attributes })).expect("a body");
        assert_eq!(
            (message.text(ID_ATTRIBUTE), names(&message)),
            (Some("mine"), vec![ID_ATTRIBUTE])
        );
    }

    #[test]
    fn a_time_of_any_year_goes_along_to_the_nanosecond() {
        for (text, nanos) in [
            ("0001-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", 999_999),
            ("9999-12-30T00:00:00Z", 1),
        ] {
            let millis = crate::time::from_text(text).expect("a time").millis();
            let time = doc! { "origin_time": DateTime::from_millis(millis), "origin_nanos": nanos };
            let message = again(&with(time)).expect("a body");
            let origin = Origin::of_attributes(&message).expect("read").expect("given");
            assert_eq!((origin.time.millis(), origin.time.nanos()), (millis, nanos), "{text}");
        }
    }

    #[test]
    fn an_identity_that_was_given_is_in_the_message_already() {
        let message = again(&with(doc! { "origin_identity": "given" })).expect("a body");
        assert_eq!(names(&message), ["type"]);
        let message =
            again(&with(doc! { "origin_identity": "given_without_time" })).expect("a body");
        assert_eq!(message.text(TIME_ATTRIBUTE), Some("2026-11-22T10:00:00.001000000Z"));
        assert_eq!(names(&message), ["type", TIME_ATTRIBUTE]);
    }

    #[test]
    fn a_record_of_an_earlier_version_says_by_its_origin_who_gave_it() {
        let mut old = record();
        old.remove("origin_identity");
        old.remove("origin_nanos");
        assert_eq!(names(&again(&old).expect("a body")).len(), 3);
        old.insert("origin_id", "sns-1");
        assert_eq!(names(&again(&old).expect("a body")), ["type"]);
    }

    #[test]
    fn without_a_body_there_is_nothing_to_put_back() {
        let mut record = record();
        record.remove("body");
        assert!(again(&record).is_none());
    }

    #[test]
    fn another_identity_is_the_same_each_time() {
        let attributes = vec![
            doc! { "name": ID_ATTRIBUTE, "value": "mine" },
            doc! { "name": TIME_ATTRIBUTE, "value": "2026-11-22T10:00:00Z" },
        ];
        let record = with(doc! { "origin_identity": "given", "attributes": attributes });
        let mut message = again(&record).expect("a body");
        rename(&mut message, &record);
        assert_eq!(message.text(ID_ATTRIBUTE), Some("00ff"));
        let once = message.clone();
        rename(&mut message, &record);
        assert_eq!(message.attributes, once.attributes);
        assert!(Origin::of_attributes(&message).expect("read").is_some());
    }
}
