//! Which envelopes are opened.

use serde_json::{Value, json};

use super::kinds::{Kind, Texts};
use super::reader::Reader;
use super::schema_values;
use crate::decode::Envelopes;

const NAMES: [&str; 3] = ["sns", "eventbridge", "cloudevents"];

/// A list of them. Its schema lists them too, so that editors offer them.
struct List;

impl List {
    const TEXTS: Texts = Texts {
        expected: "one of \"sns\", \"eventbridge\" and \"cloudevents\"",
        accepts: |name| NAMES.contains(&name),
        max: NAMES.len(),
    };
}

impl Kind for List {
    type Value = Vec<String>;

    fn expected(&self) -> String {
        Self::TEXTS.expected()
    }

    fn read(&self, raw: &Value) -> Option<Vec<String>> {
        Self::TEXTS.read(raw)
    }

    fn show(&self, value: &Vec<String>) -> String {
        Self::TEXTS.show(value)
    }

    fn schema(&self) -> Value {
        schema_values::list(&json!({ "enum": NAMES }), NAMES.len())
    }
}

pub(crate) fn read(reader: &mut Reader) -> Envelopes {
    let opened = reader.or("message.envelopes", &List, NAMES.map(str::to_owned).to_vec());
    let is_opened = |name: &str| opened.iter().any(|other| other == name);
    Envelopes {
        sns: is_opened("sns"),
        eventbridge: is_opened("eventbridge"),
        cloudevents: is_opened("cloudevents"),
    }
}
