//! A section of the page for each reason.

use std::fmt::Write as _;

use longshore::message::{Reason, Rejection};

use super::example::Example;

const BEGIN: &str = "<!-- reasons: made from src/message/reason.rs and the examples by UPDATE=1 make test ARGS='--test it reasons' -->\n";
const END: &str = "<!-- end of reasons -->\n";

/// The page with these sections in place of its own.
pub fn with_sections(page: &str, sections: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the sections");
    let (_, after) = rest.split_once(END).expect("the mark behind the sections");
    format!("{before}{BEGIN}\n{sections}\n{END}{after}")
}

pub fn section(reason: Reason, example: &Example, rejection: &Rejection) -> String {
    let mut section = format!("### `{reason}`\n\n{}\n\n", reason.meaning());
    if let Some(earlier) = example.earlier {
        write!(
            section,
            "**Example.** This message is written:\n\n```json\n{earlier}\n```\n\n{}",
            then(example)
        )
    } else {
        write!(section, "**Example**{}:\n\n", under(example))
    }
    .expect("a text");
    // One that is no JSON would be shown as broken JSON.
    let language = if reason == Reason::BadJson { "text" } else { "json" };
    write!(
        section,
        "```{language}\n{}\n```\n\n**The text** of its record:\n\n```text\n{}\n```\n\n",
        example.body, rejection.text
    )
    .expect("a text");
    if let Some(code) = rejection.code {
        writeln!(section, "Its `server_code` is {code}.\n").expect("a text");
    }
    writeln!(section, "**What usually fixes it.** {}", reason.fix()).expect("a text");
    section
}

/// What the example is rejected under.
fn under(example: &Example) -> String {
    let attribute = example
        .attribute
        .map(|(name, value)| format!(", with the attribute `{name}` of the value `{value}`"));
    let setting =
        example.setting.map(|(key, value)| format!(", with the setting `{key} = {value}`"));
    [attribute, setting].into_iter().flatten().collect()
}

fn then(example: &Example) -> String {
    match example.unique {
        None => "This one comes after it, and is rejected:\n\n".to_owned(),
        Some(field) => format!(
            "Somebody has made a unique index on `{field}`. This one comes after it, and is rejected:\n\n"
        ),
    }
}
