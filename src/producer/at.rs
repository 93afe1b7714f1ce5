//! Where in a message a value stands that is being written.

use std::fmt::Write;

use serde::ser::Error;

use crate::message::shown_name;

/// Where in the message a value stands: the last step of the way there, and those before.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub step: Step<'a>,
    pub depth: usize,
    pub parent: Option<&'a At<'a>>,
}

#[derive(Clone, Copy)]
pub enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

pub fn shown(at: Option<&At<'_>>) -> String {
    let Some(at) = at else { return "the message".to_owned() };
    let (mut steps, mut next) = (Vec::new(), Some(at));
    while let Some(At { step, parent, .. }) = next {
        steps.push(*step);
        next = *parent;
    }
    let mut text = String::new();
    for step in steps.into_iter().rev() {
        match step {
            // Writing to a text does not fail.
            Step::Index(index) => drop(write!(text, "[{index}]")),
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shown_name(name));
            }
        }
    }
    format!("field {text}")
}

/// What is said of a number that JSON does not have.
pub fn not_finite<E: Error>(number: f64, at: Option<&At<'_>>) -> E {
    let name = match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    E::custom(format!(
        "{} is {name}, which JSON does not have: send null, or {{\"$numberDouble\": \"{name}\"}}; a key takes neither",
        shown(at)
    ))
}
