//! What the store refused and takes from now on, because somebody mended what refused it: a schema, an index.

use bson::RawDocument;
use longshore::message::{Update, Write};
use longshore::version::Change;

use super::{Store, rules};

impl Store {
    /// From now on everything with this content is taken.
    pub fn they_mend(&self, content: usize) {
        self.lock().mended.insert(content);
    }
}

/// By which number the content of a write is known.
pub fn content(write: &Write) -> Option<usize> {
    let number = match write {
        Write::Insert(insert) | Write::Letter(insert) => {
            let document = RawDocument::from_bytes(&insert.document).ok()?;
            document.get_document("metadata").ok()?.get_i32("n").ok()
        }
        Write::Update(Update { change: Change::Whole { fields, .. }, .. }) => {
            rules::number(fields, "data")
        }
        Write::Update(Update { change: Change::Partial { fields }, .. }) => {
            fields.iter().find_map(|(name, _, value)| rules::number(value, name))
        }
    };
    usize::try_from(number?).ok()
}
