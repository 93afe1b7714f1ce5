//! Rules of collections by which an item is refused, or not, for what else is stored: a second
//! unique index, and a validator that looks at two fields.

use std::collections::BTreeMap;

use bson::RawDocument;
use longshore::bson::Fields;
use longshore::message::Rejection;
use longshore::store::ItemOutcome;

use crate::simulation::fault::Fault;

use super::{DUPLICATE_KEY, Document, Name, VALIDATION_FAILED};

/// Why the document may not become like this.
pub fn refusal(
    documents: &BTreeMap<Name, Document>,
    name: &Name,
    after: &Document,
) -> Option<Rejection> {
    let (code, text) = match (name.0.as_str(), after) {
        ("badges", after) => {
            let badge = badge(after)?;
            let is_taken = documents.iter().any(|(other, document)| {
                other.0 == name.0 && other.1 != name.1 && self::badge(document) == Some(badge)
            });
            is_taken.then_some((DUPLICATE_KEY, "another document has the same badge"))?
        }
        ("shifts", Document::Partial(fields)) => {
            let number =
                |field: &str| fields.get(field).and_then(|(_, value)| number(value, field));
            is_ruled_out(number("a")?, number("b")?)
                .then_some((VALIDATION_FAILED, "document failed validation"))?
        }
        _ => return None,
    };
    Some(Rejection::by_server(text, Some(code)))
}

/// Whether no shift may have both.
pub fn is_ruled_out(a: i32, b: i32) -> bool {
    (a + b) % 3 == 0
}

/// The fault that a refusal by one of these rules is.
pub fn fault(collection: &str, outcome: &ItemOutcome) -> Option<Fault> {
    match (collection, outcome) {
        ("badges", ItemOutcome::Rejected(rejection)) if rejection.code == Some(DUPLICATE_KEY) => {
            Some(Fault::SecondIndex)
        }
        ("shifts", ItemOutcome::Rejected(rejection))
            if rejection.code == Some(VALIDATION_FAILED) =>
        {
            Some(Fault::Validated)
        }
        _ => None,
    }
}

fn badge(document: &Document) -> Option<i32> {
    let Document::Whole { fields, .. } = document else { return None };
    let element = fields.get("badge")?;
    Some(i32::from_le_bytes(element.value().try_into().ok()?))
}

/// The number `n` in a field that is a document.
pub fn number(value: &Fields, field: &str) -> Option<i32> {
    RawDocument::from_bytes(value.get(field)?.value()).ok()?.get_i32("n").ok()
}
