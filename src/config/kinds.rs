//! What a value may be: how it is read from any layer, its bounds in words, and how it is printed.

use std::time::Duration;

use serde_json::Value;

use super::schema_values::{self, any_text};
use super::{literal, units};

/// One kind of value. Text is read as the value it spells, in every layer alike: the environment
/// has nothing else.
pub(crate) trait Kind {
    type Value;

    /// What a value must be, to stand after "must be".
    fn expected(&self) -> String;

    /// The value, if `raw` is one within the bounds.
    fn read(&self, raw: &Value) -> Option<Self::Value>;

    /// The value as TOML writes it, in a form that [`Kind::read`] reads.
    fn show(&self, value: &Self::Value) -> String;

    /// What a configuration file may write, as JSON Schema: all that [`Kind::read`] takes, and as
    /// little else as it can say.
    fn schema(&self) -> Value;
}

/// A time between two others, both allowed.
pub(crate) struct Time {
    pub min: Duration,
    pub max: Duration,
    /// Where the receiver counts in seconds: SQS, and TTL indexes.
    pub whole_seconds: bool,
}

impl Time {
    pub(crate) const fn millis(min: u64, max: u64) -> Self {
        Self {
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
            whole_seconds: false,
        }
    }

    pub(crate) const fn seconds(min: u64, max: u64) -> Self {
        Self { min: Duration::from_secs(min), max: Duration::from_secs(max), whole_seconds: true }
    }
}

impl Kind for Time {
    type Value = Duration;

    fn expected(&self) -> String {
        let (min, max) = (units::show_duration(self.min), units::show_duration(self.max));
        let whole = if self.whole_seconds { ", in whole seconds" } else { "" };
        format!("a time from {min} to {max}{whole}, written as 250ms, 30s, 5m, 11h or 30d")
    }

    fn read(&self, raw: &Value) -> Option<Duration> {
        let duration = match raw {
            Value::String(text) => units::parse_duration(text)?,
            raw => Duration::from_secs(raw.as_u64()?),
        };
        let whole = !self.whole_seconds || duration.subsec_nanos() == 0;
        (whole && (self.min..=self.max).contains(&duration)).then_some(duration)
    }

    fn show(&self, value: &Duration) -> String {
        literal::text(&units::show_duration(*value))
    }

    fn schema(&self) -> Value {
        schema_values::time(self.min, self.max, self.whole_seconds)
    }
}

/// Bytes between two bounds, both allowed.
pub(crate) struct Size {
    pub min: usize,
    pub max: usize,
}

impl Kind for Size {
    type Value = usize;

    fn expected(&self) -> String {
        let (min, max) = (units::show_size(self.min), units::show_size(self.max));
        format!("a size from {min} to {max}, written as 64KiB, 15MiB or 1GiB")
    }

    fn read(&self, raw: &Value) -> Option<usize> {
        let size = match raw {
            Value::String(text) => units::parse_size(text)?,
            raw => raw.as_u64()?.try_into().ok()?,
        };
        (self.min..=self.max).contains(&size).then_some(size)
    }

    fn show(&self, value: &usize) -> String {
        literal::text(&units::show_size(*value))
    }

    fn schema(&self) -> Value {
        schema_values::size(self.min, self.max)
    }
}

/// A whole number between two others, both allowed.
pub(crate) struct Count {
    pub min: usize,
    pub max: usize,
}

impl Kind for Count {
    type Value = usize;

    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }

    fn read(&self, raw: &Value) -> Option<usize> {
        let count = match raw {
            Value::String(text) => text.trim().parse().ok()?,
            raw => raw.as_u64()?.try_into().ok()?,
        };
        (self.min..=self.max).contains(&count).then_some(count)
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }

    fn schema(&self) -> Value {
        schema_values::count(self.min, self.max)
    }
}

/// A number between two others, both allowed.
pub(crate) struct Factor {
    pub min: f64,
    pub max: f64,
}

impl Kind for Factor {
    type Value = f64;

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }

    fn read(&self, raw: &Value) -> Option<f64> {
        let factor = match raw {
            Value::String(text) => text.trim().parse().ok()?,
            raw => raw.as_f64()?,
        };
        (self.min..=self.max).contains(&factor).then_some(factor)
    }

    fn show(&self, value: &f64) -> String {
        format!("{value:?}")
    }

    fn schema(&self) -> Value {
        schema_values::factor(self.min, self.max)
    }
}

/// True or false.
pub(crate) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn expected(&self) -> String {
        "true or false".to_owned()
    }

    /// In any case: Python writes `True`.
    fn read(&self, raw: &Value) -> Option<bool> {
        match raw {
            Value::Bool(value) => Some(*value),
            Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn schema(&self) -> Value {
        schema_values::switch()
    }
}

/// Text that a rule accepts.
pub(crate) struct Text {
    pub expected: &'static str,
    pub accepts: fn(&str) -> bool,
}

impl Kind for Text {
    type Value = String;

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn read(&self, raw: &Value) -> Option<String> {
        raw.as_str().filter(|text| (self.accepts)(text)).map(str::to_owned)
    }

    fn show(&self, value: &String) -> String {
        literal::text(&crate::redact::text(value))
    }

    fn schema(&self) -> Value {
        schema_values::described(&any_text(), self.expected)
    }
}

/// A text that is taken without the blanks around it, which come along when it is copied.
pub(crate) struct Trimmed(pub Text);

impl Kind for Trimmed {
    type Value = String;

    fn expected(&self) -> String {
        self.0.expected()
    }

    fn read(&self, raw: &Value) -> Option<String> {
        raw.as_str().map(str::trim).filter(|text| (self.0.accepts)(text)).map(str::to_owned)
    }

    fn show(&self, value: &String) -> String {
        self.0.show(value)
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}

/// Several texts that a rule accepts, none of them twice: a list, JSON in text, or text with
/// commas.
pub(crate) struct Texts {
    /// Of one of them.
    pub expected: &'static str,
    pub accepts: fn(&str) -> bool,
    pub max: usize,
}

impl Kind for Texts {
    type Value = Vec<String>;

    fn expected(&self) -> String {
        format!("a list of at most {} different items, each {}", self.max, self.expected)
    }

    fn read(&self, raw: &Value) -> Option<Vec<String>> {
        let texts = list_of_texts(raw)?;
        let each_another =
            texts.iter().enumerate().all(|(index, text)| !texts[..index].contains(text));
        (texts.len() <= self.max && texts.iter().all(|text| (self.accepts)(text)) && each_another)
            .then_some(texts)
    }

    fn show(&self, value: &Vec<String>) -> String {
        literal::texts(&value.iter().map(|text| crate::redact::text(text)).collect::<Vec<_>>())
    }

    fn schema(&self) -> Value {
        schema_values::list(&schema_values::described(&any_text(), self.expected), self.max)
    }
}

/// A list of texts as any layer writes it. Bounded before it is looked at any closer.
pub(crate) fn list_of_texts(raw: &Value) -> Option<Vec<String>> {
    /// Longer than any list here may be.
    const ITEMS_MAX: usize = 1_024;
    let items = match raw {
        Value::Array(items) => {
            items.iter().take(ITEMS_MAX).map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Value::String(text) if text.trim().is_empty() => Some(Vec::new()),
        Value::String(text) if text.trim_start().starts_with('[') => {
            let items: Vec<String> = serde_json::from_str(text).ok()?;
            Some(items)
        }
        Value::String(text) => {
            Some(text.split(',').take(ITEMS_MAX).map(|item| item.trim().to_owned()).collect())
        }
        _ => None,
    };
    items.filter(|items| items.len() < ITEMS_MAX)
}

/// One of a few words.
pub(crate) struct Choice(pub &'static [&'static str]);

impl Kind for Choice {
    type Value = &'static str;

    fn expected(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|word| literal::text(word)).collect();
        format!("one of {}", words.join(", "))
    }

    fn read(&self, raw: &Value) -> Option<&'static str> {
        let text = raw.as_str()?.trim();
        self.0.iter().copied().find(|word| *word == text)
    }

    fn show(&self, value: &&'static str) -> String {
        literal::text(value)
    }

    fn schema(&self) -> Value {
        schema_values::choice(self.0)
    }
}
