//! The update statement of a keyed write: a pipeline that changes the document only where the write
//! is newer.
//!
//! ```text
//! { q: {key: {$eq: v, $not: {$type: "array"}}}, u: [{$replaceWith: {$cond: [newer, changed, "$$ROOT"]}}], upsert: true,
//!   collation: {locale: "simple"} }
//! ```
//!
//! The filter is the key alone and the guard stands in the pipeline, so a stale write changes
//! nothing and is no error. (A guard in the filter would make a stale upsert try an insert, which
//! the unique index or a validator then refuses.) The collation says that `S-81` is not `s-81`,
//! whatever the collection's own does.
//!
//! A version is stored as `{t: Date, n: int32, o: Date, s: BinData, i: BinData}`: version field,
//! nanoseconds beyond it, origin's time, sequence and place, origin's id with the hash of the
//! content. The server compares documents field by field, and binary by length, then bytes, just as
//! [`Version`] does. Values and names of a message are literals: nothing in them acts on the
//! server. Only operators of MongoDB 4.4 are used.
//!
//! A document that the statement makes has an `_id` made of its key ([`made_id`]); one that is
//! there keeps its own.
//!
//! A document that another program wrote or changed later counts as written at its own version
//! field. In its [`Form::Short`] the statement knows dates of versions only; of any other type
//! `$subtract` makes an error, and the write is asked again in its [`Form::Long`], which reads
//! numbers and text too. Nearly all documents hold a date, and the long form costs the server a
//! quarter more for a fresh write and a half more for a stale one (MongoDB 6.0: 192 and 122 us
//! against 168 and 74).

mod foreign;
mod partial;

use bson::{Document, RawDocumentBuf};

use self::foreign::{base, beyond, foreign_long, foreign_short};
use super::encode::{self, Doc, List};
use super::made_id;
use crate::bson::Fields;
use crate::config::{Collection, WriteKind};
use crate::message::{Key, Update};
use crate::version::{Change, Version};

/// The field of the store's own in every document. Messages cannot name it.
const OWN: &str = "_ingest";

/// How much a statement understands of version fields that it did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Dates; an error of the item where it is anything else.
    Short,
    /// Dates, numbers and text, converted as in messages; what cannot be converted counts as
    /// oldest.
    Long,
    /// The same, and a document that it makes has an `_id` of the server's making.
    OfServersId,
}

/// What all statements for one collection have in common.
pub struct Target<'a> {
    pub key: &'a str,
    /// Declared fields without the key, of a `set` that is not partial.
    declared: &'a [String],
    replace: bool,
    key_path: String,
    foreign: Forms,
    /// Whether the foreign version is none, in the short form.
    beyond: RawDocumentBuf,
    base: Forms,
}

/// An expression in the short form and in the long ones.
struct Forms {
    short: RawDocumentBuf,
    long: RawDocumentBuf,
}

impl Forms {
    fn of(&self, form: Form) -> &[u8] {
        match form {
            Form::Short => self.short.as_bytes(),
            Form::Long | Form::OfServersId => self.long.as_bytes(),
        }
    }
}

impl<'a> Target<'a> {
    /// None for a collection of inserts.
    pub fn new(collection: &'a Collection) -> Option<Self> {
        let (key, version_field, replace) = match &collection.kind {
            WriteKind::Insert => return None,
            WriteKind::Set { key, version_field, .. } => (key, version_field, false),
            WriteKind::Replace { key, version_field } => (key, version_field, true),
        };
        let (short, long) = (foreign_short(version_field), foreign_long(version_field));
        Some(Self {
            key,
            declared: &collection.declared,
            replace,
            key_path: format!("${key}"),
            beyond: raw(&beyond(version_field, short.clone())),
            base: Forms {
                short: raw(&base(version_field, &short)),
                long: raw(&base(version_field, &long)),
            },
            foreign: Forms { short: raw(&short), long: raw(&long) },
        })
    }

    /// Writes the elements of one statement.
    pub fn statement(&self, statement: &mut Doc<'_>, update: &Update, form: Form) {
        statement.doc("q", |filter| {
            filter.doc(self.key, |condition| {
                condition.key("$eq", &update.key);
                condition.doc("$not", |not| not.text("$type", "array"));
            });
        });
        statement.list("u", |stages| {
            stages.doc(|stage| match &update.change {
                Change::Whole { version, fields } => {
                    self.whole(stage, &update.key, version, fields, form);
                }
                Change::Partial { fields } => self.partial(stage, &update.key, fields, form),
            });
        });
        statement.boolean("upsert", true);
        statement.doc("collation", encode::collation_simple);
    }

    /// The `_id` for a document that the statement makes; none where that is the key.
    fn made_id(&self, key: &Key, form: Form) -> Option<Key> {
        (self.key != "_id" && form != Form::OfServersId).then(|| made_id::of(key))
    }

    /// A last-writer-wins register: newer than what is stored, and not older than what another
    /// program wrote.
    fn whole(
        &self,
        stage: &mut Doc<'_>,
        key: &Key,
        version: &Version,
        fields: &Fields,
        form: Form,
    ) {
        stage.doc("$replaceWith", |replace| {
            replace.list("$cond", |cond| {
                cond.doc(|newer| {
                    newer.list("$and", |both| {
                        both.doc(|newer| {
                            newer.list("$gt", |gt| {
                                gt.doc(|literal| write_version(literal, "$literal", version));
                                gt.text("$_ingest.v");
                            });
                        });
                        both.doc(|newer| self.not_older_than_theirs(newer, version, form));
                    });
                });
                cond.doc(|changed| {
                    changed.list("$mergeObjects", |merge| {
                        self.kept(merge, self.made_id(key, form).as_ref(), fields);
                        merge.doc(|literal| {
                            literal.doc("$literal", |document| {
                                fields.iter().for_each(|field| document.element(field.element));
                                document.doc(OWN, |own| write_version(own, "v", version));
                            });
                        });
                    });
                });
                cond.text("$$ROOT");
            });
        });
    }

    /// Whether the version is not older than what another program wrote at the version field.
    fn not_older_than_theirs(&self, condition: &mut Doc<'_>, version: &Version, form: Form) {
        let gte = |condition: &mut Doc<'_>| {
            condition.list("$gte", |gte| {
                gte.int64(version.time.millis());
                gte.encoded(self.foreign.of(form));
            });
        };
        match form {
            Form::Short => condition.list("$or", |or| {
                or.doc(gte);
                or.encoded(self.beyond.as_bytes());
            }),
            Form::Long | Form::OfServersId => gte(condition),
        }
    }

    /// What stays of the stored document under the new fields: the identity only (`replace`), or
    /// all but the declared fields that are absent now (`set`), among which another program's
    /// fields remain.
    fn kept(&self, merge: &mut List<'_>, made_id: Option<&Key>, fields: &Fields) {
        if self.replace {
            return merge.doc(|identity| {
                match made_id {
                    Some(made_id) => identity.doc("_id", |id| {
                        id.list("$ifNull", |id| {
                            id.text("$_id");
                            id.key(made_id);
                        });
                    }),
                    None => identity.text("_id", "$_id"),
                }
                if self.key != "_id" {
                    identity.text(self.key, &self.key_path);
                }
            });
        }
        under(merge, made_id);
        let absent: Vec<&str> = self
            .declared
            .iter()
            .map(String::as_str)
            .filter(|name| fields.get(name).is_none())
            .collect();
        if absent.is_empty() {
            return merge.text("$$ROOT");
        }
        // By names as data, not as paths: `$unset` would read a dot.
        merge.doc(|rest| {
            rest.doc("$arrayToObject", |rest| {
                rest.doc("$filter", |filter| {
                    filter.doc("input", |input| input.text("$objectToArray", "$$ROOT"));
                    filter.doc("cond", |cond| {
                        cond.list("$not", |not| {
                            not.doc(|not| {
                                not.list("$in", |within| {
                                    within.text("$$this.k");
                                    within.doc(|literal| {
                                        literal.list("$literal", |names| {
                                            for name in &absent {
                                                names.text(name);
                                            }
                                        });
                                    });
                                });
                            });
                        });
                    });
                });
            });
        });
    }
}

/// The made `_id` stands under what is merged upon it: an `_id` that is there.
fn under(merge: &mut List<'_>, made_id: Option<&Key>) {
    if let Some(made_id) = made_id {
        merge.doc(|document| document.key("_id", made_id));
    }
}

fn write_version(doc: &mut Doc<'_>, name: &str, version: &Version) {
    doc.doc(name, |doc| {
        doc.date("t", version.time.millis());
        doc.int32("n", version.time.nanos());
        doc.date("o", version.origin_time_ms);
        doc.binary("s", &version.sequence_and_place());
        doc.binary("i", &[&version.origin_id[..], &version.content_hash].concat());
    });
}

/// # Panics
/// Never: the documents above are shallow and have no name with a NUL.
fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).expect("made from constants and a configured name")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bson::doc;

    use super::foreign::epoch;
    use super::*;
    use crate::config::{Acknowledgement, WriteConcern};
    use crate::message::Write;

    fn collection(kind: WriteKind, declared: &[&str]) -> Collection {
        Collection {
            name: "sessions".to_owned(),
            kind,
            declared: declared.iter().map(|name| (*name).to_owned()).collect(),
            write_concern: WriteConcern {
                w: Acknowledgement::Majority,
                journal: true,
                timeout: Duration::from_secs(1),
            },
            indexes: Vec::new(),
            ttl: None,
        }
    }

    fn set(partial: bool) -> WriteKind {
        WriteKind::Set {
            key: "session_id".to_owned(),
            version_field: "last_accessed".to_owned(),
            partial,
        }
    }

    fn version(id: &str) -> Version {
        let time = crate::time::Time::from_nanos(5_000_007).expect("a time");
        Version {
            time,
            origin_time_ms: 6,
            sequence: 8,
            place: 9,
            origin_id: Arc::from(id.as_bytes()),
            content_hash: [10; 8],
        }
    }

    fn one(name: &str, value: i32) -> Fields {
        let mut fields = Fields::default();
        fields.push(name, crate::bson::element::INT32, &value.to_le_bytes());
        fields
    }

    fn statement(collection: &Collection, update: &Update, form: Form) -> (Document, usize) {
        let target = Target::new(collection).expect("keyed");
        let mut bytes = Vec::new();
        encode::document(&mut bytes, |doc| target.statement(doc, update, form));
        let length = bytes.len();
        (bson::deserialize_from_slice(&bytes).expect("valid BSON"), length)
    }

    #[test]
    fn a_whole_write_is_guarded_by_its_version_and_by_the_version_field() {
        let update = Update {
            key: Key::Text("s".into()),
            change: Change::Whole { version: version("m"), fields: one("data", 1) },
        };
        let (statement, _) = statement(&collection(set(false), &["data"]), &update, Form::Short);
        let binary = |bytes: &[u8]| bson::Binary {
            subtype: bson::spec::BinarySubtype::Generic,
            bytes: bytes.to_vec(),
        };
        let version = doc! {
            "t": bson::DateTime::from_millis(5), "n": 7, "o": bson::DateTime::from_millis(6),
            "s": binary(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 9]),
            "i": binary(b"m\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a"),
        };
        let theirs = doc! { "$subtract": ["$last_accessed", epoch()] };
        let newer = doc! { "$and": [
            { "$gt": [{ "$literal": &version }, "$_ingest.v"] },
            { "$or": [
                { "$gte": [5_i64, &theirs] },
                { "$and": [{ "$gt": [&theirs, 4_102_444_800_000_i64] }, { "$subtract": [{ "$type": "$last_accessed" }, epoch()] }] },
            ] },
        ] };
        let Key::ObjectId(made_id) = made_id::of(&update.key) else { panic!("an ObjectId") };
        let changed = doc! { "$mergeObjects": [{ "_id": made_id }, "$$ROOT", { "$literal": { "data": 1, "_ingest": { "v": &version } } }] };
        let expected = doc! {
            "q": { "session_id": { "$eq": "s", "$not": { "$type": "array" } } },
            "u": [{ "$replaceWith": { "$cond": [newer, changed, "$$ROOT"] } }],
            "upsert": true,
            "collation": { "locale": "simple" },
        };
        assert_eq!(statement, expected);
    }

    #[test]
    fn a_write_takes_no_more_of_a_command_than_it_says() {
        let long_id = "i".repeat(1_024);
        let names: Vec<String> = (0..40).map(|number| format!("field_{number:02}")).collect();
        for id in ["", "0b5ff1c3-3f0c-4d57-9d2e-1f0a5f3c7c55", &long_id] {
            let whole = Change::Whole { version: version(id), fields: one("data", 1) };
            let partial = Change::Partial {
                fields: names
                    .iter()
                    .map(|name| (name.clone(), version(id), one(name, 1)))
                    .collect(),
            };
            let replace = WriteKind::Replace {
                key: "session_id".to_owned(),
                version_field: "last_accessed".to_owned(),
            };
            for (kind, change) in
                [(set(false), whole.clone()), (replace, whole), (set(true), partial)]
            {
                let collection = collection(kind, &["data", "last_accessed"]);
                let update = Update { key: Key::Text("k".repeat(64)), change };
                let said = Write::Update(update.clone()).command_bytes();
                let (_, takes) = statement(&collection, &update, Form::Short);
                assert!(takes <= said, "{takes} bytes, said {said}, id of {} bytes", id.len());
            }
        }
    }
}
