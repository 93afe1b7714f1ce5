//! What the server answered to an `insert` or an `update` command, read without trust.

use bson::{Bson, Document};

use super::fault::{self, Blame, Refusal, bounded, unavailable, without_values};

/// An answer that accounts for every write of its command, at the asked write concern.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// In the order of their index.
    pub refused: Vec<Refused>,
    /// Updates that found their document and left it as it was.
    pub unchanged: usize,
}

/// One write that was not taken.
#[derive(Debug, PartialEq)]
pub struct Refused {
    /// Which write of the command.
    pub index: usize,
    pub code: i32,
    /// The server's message without values.
    pub text: String,
    /// Of a duplicate key: the fields of the index that has it already.
    pub index_fields: Vec<String>,
    /// Whether that index has a collation, by which values that differ may be equal.
    pub index_folds: bool,
}

/// Reads the reply to a command of `writes` writes.
///
/// # Errors
/// Where the write concern was not met, or the reply does not account for every write: nothing
/// counts then, because a refusal can be one of a state that is rolled back.
pub fn read(reply: &Document, writes: usize) -> Result<Reply, Refusal> {
    if let Some(error) = reply.get("writeConcernError") {
        let error = error.as_document();
        let code = error.and_then(|error| integer(error.get("code"))).unwrap_or_default();
        let text = error.and_then(|error| error.get_str("errmsg").ok()).unwrap_or_default();
        return Err(unavailable(format!("the write concern was not met: {code}: {text}")));
    }
    let refused = match reply.get("writeErrors") {
        None => Vec::new(),
        Some(Bson::Array(errors)) => {
            errors.iter().map(read_refused).collect::<Option<Vec<_>>>().ok_or_else(unreadable)?
        }
        Some(_) => return Err(unreadable()),
    };
    let taken =
        integer(reply.get("n")).and_then(|n| usize::try_from(n).ok()).ok_or_else(unreadable)?;
    let ascending = refused.windows(2).all(|pair| pair[0].index < pair[1].index);
    if taken + refused.len() != writes
        || !ascending
        || refused.last().is_some_and(|last| last.index >= writes)
    {
        // What it says of one of them is the best clue to what is wrong.
        let first = refused.first();
        let said = first.map_or(String::new(), |first| format!(": {}: {}", first.code, first.text));
        let text = format!(
            "the reply accounts for {taken} and {} of {writes} writes{said}",
            refused.len()
        );
        return Err(Refusal { code: first.map(|first| first.code), ..unavailable(text) });
    }
    if let Some(first) = refused.first()
        && taken == 0
        && refused.iter().all(|refused| fault::blame(refused.code, &refused.text) == Blame::Server)
    {
        // No single write is the reason.
        let text = format!("every write failed, the first with {}: {}", first.code, first.text);
        let codes = refused.iter().map(|refused| refused.code);
        return Err(Refusal { code: Some(first.code), ..fault::all_failed(codes, text) });
    }
    let modified = integer(reply.get("nModified")).and_then(|n| usize::try_from(n).ok());
    let upserted = reply.get_array("upserted").map_or(0, Vec::len);
    // An insert has no count of modified documents.
    let unchanged = modified.map_or(0, |modified| taken.saturating_sub(modified + upserted));
    Ok(Reply { refused, unchanged })
}

fn unreadable() -> Refusal {
    unavailable("the reply to a write is not of the documented form")
}

fn read_refused(error: &Bson) -> Option<Refused> {
    let error = error.as_document()?;
    let index = usize::try_from(integer(error.get("index"))?).ok()?;
    let code = i32::try_from(integer(error.get("code"))?).ok()?;
    let message = error.get_str("errmsg").unwrap_or_default();
    let index_fields =
        if code == fault::DUPLICATE_KEY { index_fields(error, message) } else { Vec::new() };
    let text = match error.get_document("errInfo").ok() {
        Some(info) => bounded(&format!("{}{}", without_values(message), failed_rules(info))),
        None if code == fault::DUPLICATE_KEY => {
            format!("another document has the same {}", index_fields.join(", "))
        }
        None => without_values(message),
    };
    // The error names the collation of the index, and so does the message before the value.
    let said = message.split("dup key:").next().unwrap_or_default();
    let index_folds = code == fault::DUPLICATE_KEY
        && (error.contains_key("collation") || said.contains(" collation: "));
    Some(Refused { index, code, text, index_fields, index_folds })
}

/// From `keyPattern`; a server in between may leave that out, so the index's name in the message is
/// looked at too.
fn index_fields(error: &Document, message: &str) -> Vec<String> {
    if let Ok(pattern) = error.get_document("keyPattern") {
        return pattern.keys().cloned().collect();
    }
    let name = message
        .split_once("index: ")
        .map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or_default());
    if name == "_id_" { vec!["_id".to_owned()] } else { vec![format!("fields of index {name}")] }
}

/// Which rules of a validator failed and for which fields, without the values that failed them
/// (`errInfo` of code 121, since MongoDB 5.0).
fn failed_rules(info: &Document) -> String {
    let mut names = Vec::new();
    if let Ok(details) = info.get_document("details") {
        collect_rules(details, &mut names, 0);
    }
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

/// Names of rules and fields at any depth, a few at most.
fn collect_rules(details: &Document, names: &mut Vec<String>, depth: usize) {
    const RULES_MAX: usize = 10;
    const DEPTH_MAX: usize = 10;
    for (name, value) in details {
        if names.len() >= RULES_MAX || depth >= DEPTH_MAX {
            return;
        }
        match (name.as_str(), value) {
            // What was seen and what the rule is in full can hold values.
            (
                "consideredValue" | "consideredValues" | "specifiedAs" | "description" | "title",
                _,
            ) => {}
            ("operatorName" | "propertyName" | "reason", Bson::String(text)) => {
                names.push(text.clone());
            }
            ("missingProperties" | "additionalProperties", Bson::Array(fields)) => {
                names.extend(fields.iter().filter_map(Bson::as_str).map(str::to_owned));
            }
            (_, Bson::Document(inner)) => collect_rules(inner, names, depth + 1),
            (_, Bson::Array(list)) => list
                .iter()
                .filter_map(Bson::as_document)
                .for_each(|inner| collect_rules(inner, names, depth + 1)),
            _ => {}
        }
    }
}

/// Servers write counts as int32, int64 or double.
fn integer(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number within the range of exact doubles"
        )]
        Bson::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(*number as i64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::store::StoreFaultKind;

    #[test]
    fn a_reply_that_accounts_for_all_is_an_answer() {
        let reply = read(&doc! { "n": 3, "ok": 1.0 }, 3).expect("an answer");
        assert_eq!(reply, Reply { refused: Vec::new(), unchanged: 0 });
    }

    #[test]
    fn stale_updates_are_those_that_matched_and_were_neither_changed_nor_made() {
        let upserted = vec![doc! { "index": 0, "_id": 1 }];
        let reply = read(&doc! { "n": 5, "nModified": 1_i64, "upserted": upserted, "ok": 1.0 }, 5)
            .expect("an answer");
        assert_eq!(reply.unchanged, 3);
    }

    #[test]
    fn a_trouble_of_the_server_with_all_writes_is_no_answer_for_any_of_them() {
        let errors = |codes: [i32; 2]| {
            (0..)
                .zip(codes)
                .map(|(index, code)| doc! { "index": index, "code": code, "errmsg": "no" })
                .collect::<Vec<_>>()
        };
        let refusal = read(&doc! { "n": 0, "writeErrors": errors([14_031, 371]), "ok": 1.0 }, 2)
            .expect_err("a full disk");
        assert_eq!(refusal.fault.kind, StoreFaultKind::Unavailable);
        assert_eq!(refusal.fault.text, "every write failed, the first with 14031: no");
        for (n, writes, codes) in [(0, 2, [14_031, 121]), (1, 3, [14_031, 371])] {
            assert!(
                read(&doc! { "n": n, "writeErrors": errors(codes), "ok": 1.0 }, writes).is_ok(),
                "one of them was answered for"
            );
        }
    }

    #[test]
    fn nothing_counts_when_the_write_concern_was_not_met() {
        let errors = vec![
            doc! { "index": 0, "code": 11_000, "keyPattern": { "_id": 1 }, "errmsg": "E11000" },
        ];
        let concern = doc! { "code": 64, "errmsg": "waiting for replication timed out" };
        let refusal = read(
            &doc! { "n": 1, "writeErrors": errors, "writeConcernError": concern, "ok": 1.0 },
            2,
        )
        .expect_err("no answer");
        assert_eq!(refusal.fault.kind, StoreFaultKind::Unavailable);
        assert!(refusal.fault.text.contains("waiting for replication"), "{}", refusal.fault.text);
    }

    #[test]
    fn a_reply_that_leaves_a_write_out_is_no_answer() {
        let error = |index: i32| doc! { "index": index, "code": 121, "errmsg": "no" };
        for reply in [
            doc! { "n": 2, "ok": 1.0 },
            doc! { "ok": 1.0 },
            doc! { "n": 2, "writeErrors": [error(3)], "ok": 1.0 },
            doc! { "n": 2, "writeErrors": [{ "index": 1 }], "ok": 1.0 },
            doc! { "n": 1, "writeErrors": [error(1), error(1)], "ok": 1.0 },
            doc! { "n": 2, "writeErrors": "many", "ok": 1.0 },
        ] {
            assert!(read(&reply, 3).is_err(), "{reply}");
        }
    }

    #[test]
    fn a_refusal_names_its_cause_and_shows_no_value() {
        let duplicate = doc! {
            "index": 0, "code": 11_000, "keyPattern": { "email": 1 }, "keyValue": { "email": "secret" },
            "errmsg": "E11000 duplicate key error collection: t.users index: email_1 dup key: { email: \"secret\" }",
        };
        let details = doc! { "operatorName": "$jsonSchema", "schemaRulesNotSatisfied": [
            { "operatorName": "properties", "propertiesNotSatisfied": [
                { "propertyName": "qty", "details": [{ "operatorName": "minimum", "specifiedAs": { "minimum": 0 }, "consideredValue": "secret" }] },
            ] },
            { "operatorName": "required", "missingProperties": ["name"] },
        ] };
        let rule = doc! { "index": 1, "code": 121, "errmsg": "Document failed validation", "errInfo": { "failingDocumentId": "secret", "details": details } };
        let geo = doc! { "index": 2, "code": 16_755, "errmsg": "Can't extract geo keys: { _id: \"secret\" }  Point must be an array" };
        let reply = read(&doc! { "n": 0, "writeErrors": [duplicate, rule, geo], "ok": 1.0 }, 3)
            .expect("an answer");
        let texts: Vec<&str> = reply.refused.iter().map(|refused| refused.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "another document has the same email",
                "Document failed validation: $jsonSchema, properties, qty, minimum, required, name",
                "Can't extract geo keys: {..}",
            ]
        );
        assert_eq!(reply.refused[0].index_fields, ["email"]);
    }

    #[test]
    fn the_id_index_is_known_by_its_name_too() {
        let error = doc! { "index": 0, "code": 11_000, "errmsg": "E11000 duplicate key error collection: t.e index: _id_ dup key: { : 1 }" };
        let reply =
            read(&doc! { "n": 0, "writeErrors": [error], "ok": 1.0 }, 1).expect("an answer");
        assert_eq!(
            (reply.refused[0].index_fields[0].as_str(), reply.refused[0].index_folds),
            ("_id", false)
        );
    }

    #[test]
    fn an_index_that_folds_is_told_from_one_that_does_not() {
        let folds = |message: &str| {
            let error =
                doc! { "index": 0, "code": 11_000, "keyPattern": { "k": 1 }, "errmsg": message };
            read(&doc! { "n": 0, "writeErrors": [error], "ok": 1.0 }, 1).expect("an answer").refused
                [0]
            .index_folds
        };
        assert!(folds(
            "E11000 duplicate key error collection: t.e index: k_1 collation: { locale: \"en\" } dup key: { k: \"0x3d\" }"
        ));
        assert!(!folds(
            "E11000 duplicate key error collection: t.e index: k_1 dup key: { k: \" collation: \" }"
        ));
    }

    #[test]
    fn a_refusal_is_named_also_where_the_reply_does_not_account_for_all() {
        let view = doc! { "index": 0, "code": 166, "errmsg": "things is a view" };
        let refusal = read(&doc! { "n": 0, "writeErrors": [view], "ok": 1.0 }, 0)
            .expect_err("none was to be refused");
        assert_eq!(refusal.code, Some(166));
        assert!(refusal.fault.text.ends_with("166: things is a view"), "{}", refusal.fault);
    }

    #[test]
    fn a_router_that_gives_all_writes_up_for_taking_too_long_says_so_of_the_command() {
        let error = |index: i32, code: i32| doc! { "index": index, "code": code, "errmsg": "operation exceeded time limit" };
        for (codes, kind) in [
            ([50, 50], StoreFaultKind::TimedOut),
            ([112, 50], StoreFaultKind::TimedOut),
            ([112, 112], StoreFaultKind::Unavailable),
        ] {
            let errors = [error(0, codes[0]), error(1, codes[1])].map(bson::Bson::from).to_vec();
            let refusal =
                read(&doc! { "n": 0, "writeErrors": errors, "ok": 1.0 }, 2).expect_err("none");
            assert_eq!(refusal.fault.kind, kind, "{codes:?}");
        }
    }
}
