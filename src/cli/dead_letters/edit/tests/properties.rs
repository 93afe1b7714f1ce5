//! What holds for any JSON object: the program `.` changes nothing of what it means.

use std::fmt::Write;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// JSON as text: numbers in all their writings, and texts with escapes.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |float| float.is_finite())
            .prop_map(|float| format!("{float:?}")),
        "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?",
        text(),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(" , "))),
            object(inner)
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let escaped = "(\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|[a-z\\[\\]{}#-]|-0){0,6}";
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a text")),
        escaped.prop_map(|text| format!("\"{text}\"")),
    ]
}

/// No name stands twice in it: that is mended, and has a test of its own.
fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((text(), value), 0..8).prop_map(|members| {
        let mut object = r#"{"type": "event""#.to_owned();
        for (index, (name, value)) in members.iter().enumerate() {
            write!(object, " , \"{index}{} :{value}", &name[1..]).expect("memory");
        }
        object + "}"
    })
}

static PROGRAMS: LazyLock<Vec<Edit>> = LazyLock::new(|| {
    [".", "fromjson", "tojson", "del(.a)", ".[0]", "gsub(\"a\"; \"b\")", ".. |= ."]
        .map(|program| Edit::new(program).expect("a program"))
        .into()
});

proptest! {
    #[test]
    fn the_program_that_does_nothing_changes_no_meaning(body in object(json())) {
        let whole = message(&body, &[]);
        let edited = PROGRAMS[0].of(&whole, &settings()).expect("edited");
        match (decode(&whole, &settings()), decode(&edited, &settings())) {
            (Ok(record), Ok(again)) => {
                prop_assert_eq!(record.fields, again.fields);
                prop_assert_eq!(record.kind, again.kind);
            }
            (Err(rejection), Err(again)) => prop_assert_eq!(rejection.reason, again.reason),
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn nothing_panics_on_any_text(body in ".{0,200}|[\\[{}\\]\",:0-9a-e\\\\-]{0,60}") {
        for program in PROGRAMS.iter() {
            let _ = program.of(&message(&body, &[]), &settings());
        }
    }
}
