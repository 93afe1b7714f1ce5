//! The status page: one document, rendered with the figures of the moment, that draws itself anew where scripts run.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde_json::Value;
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("page.html");

pub(super) struct Page {
    environment: Environment<'static>,
    policy: String,
}

impl Page {
    /// # Errors
    /// Where the template is broken, which is a bug.
    pub fn new() -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("number", number);
        environment.add_filter("duration", duration);
        environment.add_filter("bytes", bytes);
        environment.add_filter("time", time);
        environment.add_template("page", TEMPLATE).context("the status page is broken")?;
        let (style, script) = (hash(TEMPLATE, "style")?, hash(TEMPLATE, "script")?);
        let policy = format!(
            "default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        Ok(Self { environment, policy })
    }

    /// The policy that lets nothing but this page's own style and script work.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    pub fn render(&self, status: &Value) -> Result<String> {
        let template = self.environment.get_template("page")?;
        template.render(minijinja::context! { s => minijinja::Value::from_serialize(status) }).context("the status page cannot be drawn")
    }
}

/// Of what stands between the tags of the page's one element `name`, as a Content-Security-Policy names it.
fn hash(page: &str, name: &str) -> Result<String> {
    let (_, rest) = page.split_once(&format!("<{name}>")).with_context(|| format!("the status page has no <{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>")).with_context(|| format!("the status page does not end its <{name}>"))?;
    Ok(format!("sha256-{}", STANDARD.encode(Sha256::digest(text))))
}

/// `1234567` as `1,234,567`; a fraction is rounded.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// Seconds, in the unit that people would say.
fn duration(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) if seconds < 9.95 => format!("{seconds:.1} s"),
        Some(seconds) if seconds < 119.5 => format!("{seconds:.0} s"),
        Some(seconds) if seconds < 7_170.0 => format!("{:.0} min", seconds / 60.0),
        Some(seconds) if seconds < 172_000.0 => format!("{:.0} h", seconds / 3_600.0),
        Some(seconds) => format!("{:.0} d", seconds / 86_400.0),
    }
}

fn bytes(value: Option<f64>) -> String {
    let Some(mut value) = value else { return "–".to_owned() };
    for unit in ["B", "KiB", "MiB"] {
        if value < 1_023.5 {
            return if unit == "B" || value >= 99.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} GiB")
}

/// `2026-11-23T10:20:05Z` as `10:20:05 UTC`.
fn time(at: Option<String>) -> String {
    let Some(at) = at else { return "–".to_owned() };
    match at.split_once('T').and_then(|(_, time)| time.get(..8)) {
        Some(time) => format!("{time} UTC"),
        None => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let durations = [0.0, 0.012, 0.9999, 3.21, 65.0, 240.0, 7_300.0, 400_000.0].map(|seconds| duration(Some(seconds)));
        assert_eq!(durations, ["0 ms", "12 ms", "1.0 s", "3.2 s", "65 s", "4 min", "2 h", "5 d"]);
        assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.4].map(|value| number(Some(value))), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 1_023.0, 1_048_576.0, 268_435_456.0, 3e10].map(|value| bytes(Some(value))),
            ["0 B", "1023 B", "1.0 MiB", "256 MiB", "27.9 GiB"]
        );
        assert_eq!(time(Some("2026-11-23T10:20:05Z".to_owned())), "10:20:05 UTC");
        assert_eq!((duration(None), number(None), bytes(None), time(None)), ("–".into(), "–".into(), "–".into(), "–".into()));
    }
}
