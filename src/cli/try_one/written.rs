//! A message that would be written: its document, and the command that would be sent.

use anyhow::{Context, Result};
use bson::Document;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::bson::{Doc, Fields, document as lay_out};
use crate::config::Config;
use crate::extended_json::{canonical, relaxed};
use crate::message::{Update, Write};
use crate::store::mongo::first_command;
use crate::store::{Collection, WriteKind, Writes};
use crate::version::Change;

#[derive(Debug, Serialize)]
pub(super) struct Written {
    collection: String,
    /// As the dry run shows it.
    key: String,
    document: Shown,
    command: Shown,
}

/// A document, written in the form that is asked for.
#[derive(Debug)]
struct Shown(Document);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(canonical(&self.0)).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

impl Written {
    /// # Errors
    /// Where something of it is no BSON, which cannot be.
    pub(super) fn new(config: &Config, name: String, write: &Write) -> Result<Self> {
        let collection = config
            .collections
            .get(&name)
            .with_context(|| format!("no collection {name} is configured"))?;
        let writes = Writes::of(&collection.kind, [write])
            .with_context(|| format!("the write is not of the kind of {name}"))?;
        let (command, _) = first_command(collection, &writes);
        Ok(Self {
            key: write.key().to_string(),
            document: Shown(document(collection, write)?),
            command: Shown(read(&command)?),
            collection: name,
        })
    }

    pub(super) fn people(&self) -> String {
        let Self { collection, key, document, command } = self;
        format!(
            "collection  {collection}\nkey         {key}\n\ndocument\n{}\n\ncommand\n{}",
            relaxed(&document.0),
            relaxed(&command.0)
        )
    }
}

/// What the message says that the document is. Of an update these are the key and the fields that it sets,
/// without what the server keeps beside them.
fn document(collection: &Collection, write: &Write) -> Result<Document> {
    match (write, &collection.kind) {
        (Write::Insert(insert) | Write::Letter(insert), _) => read(&insert.document),
        (Write::Update(Update { key, change }), WriteKind::Keyed(keyed)) => {
            let mut bytes = Vec::new();
            lay_out(&mut bytes, |document| {
                document.value(&keyed.key, key);
                match change {
                    Change::Whole { fields, .. } => copy(document, fields),
                    Change::Partial { fields } => {
                        for (_, _, single) in fields {
                            copy(document, single);
                        }
                    }
                }
            });
            read(&bytes)
        }
        (Write::Update(_), WriteKind::Insert | WriteKind::Letter) => Ok(Document::new()),
    }
}

fn copy(document: &mut Doc<'_>, fields: &Fields) {
    fields.iter().for_each(|field| document.field(field));
}

fn read(bytes: &[u8]) -> Result<Document> {
    Ok(bson::deserialize_from_slice(bytes)?)
}
