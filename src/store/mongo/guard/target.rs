//! What all statements for one collection have in common.

use bson::{Document, RawDocumentBuf};

use super::foreign::{base, beyond, foreign_long, foreign_short};
use super::own::versions;
use crate::bson::List;
use crate::message::Key;
use crate::store::mongo::made_id;
use crate::store::{Extent, Keyed};

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
    pub(super) declared: &'a [String],
    /// Whether the message is the whole document.
    pub(super) replace: bool,
    /// The stored key, as an expression.
    pub(super) key_path: String,
    /// What another program wrote at the version field, in milliseconds.
    pub(super) foreign: Forms,
    /// Whether the foreign version is none, in the short form.
    pub(super) beyond: RawDocumentBuf,
    /// The version at which the document stands apart from its fields' own.
    pub(super) base: Forms,
    /// The versions of a partial route's fields.
    pub(super) kept_versions: RawDocumentBuf,
}

/// An expression in the short form and in the long ones.
pub(super) struct Forms {
    short: RawDocumentBuf,
    long: RawDocumentBuf,
}

impl Forms {
    pub(super) fn of(&self, form: Form) -> &[u8] {
        match form {
            Form::Short => self.short.as_bytes(),
            Form::Long | Form::OfServersId => self.long.as_bytes(),
        }
    }
}

impl<'a> Target<'a> {
    /// `declared`: as of the [`Collection`](crate::store::Collection).
    pub fn new(keyed: &'a Keyed, declared: &'a [String]) -> Self {
        let Keyed { key, version_field, extent } = keyed;
        let (short, long) = (foreign_short(version_field), foreign_long(version_field));
        Self {
            key,
            declared,
            replace: *extent == Extent::Replace,
            key_path: format!("${key}"),
            beyond: raw(&beyond(version_field, short.clone())),
            base: Forms {
                short: raw(&base(version_field, &short)),
                long: raw(&base(version_field, &long)),
            },
            foreign: Forms { short: raw(&short), long: raw(&long) },
            kept_versions: raw(&versions()),
        }
    }

    /// The `_id` for a document that the statement makes; none where that is the key.
    pub(super) fn made_id(&self, key: &Key, form: Form) -> Option<Key> {
        (self.key != "_id" && form != Form::OfServersId).then(|| made_id::of(key))
    }
}

/// The made `_id` stands under what is merged upon it: an `_id` that is there.
pub(super) fn under(merge: &mut List<'_>, made_id: Option<&Key>) {
    if let Some(made_id) = made_id {
        merge.doc(|document| document.value("_id", made_id));
    }
}

/// # Panics
/// Never: the expressions are shallow and have no name with a NUL.
fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).expect("made from constants and a configured name")
}
