//! Which envelopes are opened.

use super::kinds::Texts;
use super::reader::Reader;
use crate::decode::Envelopes;

const NAMES: [&str; 3] = ["sns", "eventbridge", "cloudevents"];

const LIST: Texts = Texts {
    expected: "one of \"sns\", \"eventbridge\" and \"cloudevents\"",
    accepts: |name| NAMES.contains(&name),
    max: NAMES.len(),
};

pub(crate) fn read(reader: &mut Reader) -> Envelopes {
    let opened = reader.or("message.envelopes", &LIST, NAMES.map(str::to_owned).to_vec());
    let is_opened = |name: &str| opened.iter().any(|other| other == name);
    Envelopes {
        sns: is_opened("sns"),
        eventbridge: is_opened("eventbridge"),
        cloudevents: is_opened("cloudevents"),
    }
}
