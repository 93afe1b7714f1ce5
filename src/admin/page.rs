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
        environment.add_template("page.html", TEMPLATE).context("the status page is broken")?;
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
        let template = self.environment.get_template("page.html")?;
        template.render(minijinja::context! { s => minijinja::Value::from_serialize(status) }).context("the status page cannot be drawn")
    }
}

/// Of what stands between the tags of the page's one element `name`, as a Content-Security-Policy names it.
fn hash(page: &str, name: &str) -> Result<String> {
    let (_, rest) = page.split_once(&format!("<{name}>")).with_context(|| format!("the status page has no <{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>")).with_context(|| format!("the status page does not end its <{name}>"))?;
    Ok(format!("sha256-{}", STANDARD.encode(Sha256::digest(text))))
}

/// A figure and its unit, which no line may part.
fn with_unit(figure: impl std::fmt::Display, unit: &str) -> String {
    format!("{figure}\u{a0}{unit}")
}

/// `1234567` as `1,234,567`; a fraction is rounded.
fn number(value: f64) -> String {
    let rounded = format!("{:.0}", (value + 0.5).floor());
    let (sign, digits) = rounded.strip_prefix('-').map_or(("", rounded.as_str()), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds, in the unit that people would say. The page's script says the same.
fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    let (minutes, hours) = ((seconds / MINUTE).round(), (seconds / 3_600.0).floor());
    match seconds {
        seconds if seconds <= 0.0 => with_unit(0, "s"),
        seconds if seconds < 0.000_95 => with_unit("<1", "ms"),
        seconds if seconds < 0.009_95 => with_unit(format_args!("{:.1}", seconds * 1e3), "ms"),
        seconds if seconds < 0.999_5 => with_unit(format_args!("{:.0}", seconds * 1e3), "ms"),
        seconds if seconds < 9.95 => with_unit(format_args!("{seconds:.1}"), "s"),
        seconds if seconds < 99.5 => with_unit(format_args!("{seconds:.0}"), "s"),
        _ if minutes < 100.0 => with_unit(minutes, "min"),
        seconds if seconds < 48.0 * 3_600.0 => {
            format!("{} {}", with_unit(hours, "h"), with_unit(((seconds - hours * 3_600.0) / MINUTE).floor(), "min"))
        }
        seconds => {
            let days = (seconds / 86_400.0).floor();
            format!("{} {}", with_unit(days, "d"), with_unit(((seconds - days * 86_400.0) / 3_600.0).floor(), "h"))
        }
    }
}

fn bytes(mut value: f64) -> String {
    if value < 1_024.0 {
        return with_unit(format_args!("{value:.0}"), "B");
    }
    let mut units = ["KiB", "MiB", "GiB"].into_iter();
    value /= 1_024.0;
    for unit in &mut units {
        if value < 1_024.0 {
            return with_unit(format_args!("{value:.1}"), unit);
        }
        value /= 1_024.0;
    }
    with_unit(format_args!("{value:.1}"), "TiB")
}

/// `2026-11-23T10:20:05Z` as `10:20:05 UTC`.
fn time(at: &str) -> String {
    at.get(11..19).map_or_else(|| at.to_owned(), |time| format!("{time} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let durations = [0.0, 0.000_5, 0.004_2, 0.012, 0.9999, 3.21, 34.0, 240.0, 7_980.0, 198_000.0].map(duration);
        let plain = durations.map(|text| text.replace('\u{a0}', " "));
        assert_eq!(plain, ["0 s", "<1 ms", "4.2 ms", "12 ms", "1.0 s", "3.2 s", "34 s", "4 min", "2 h 13 min", "2 d 7 h"]);
        assert_eq!([0.0, 999.5, 1_234_567.4, -1_234.0].map(number), ["0", "1,000", "1,234,567", "-1,234"]);
        let sizes = [0.0, 1_023.0, 1_048_576.0, 268_435_456.0, 3e10].map(|value| bytes(value).replace('\u{a0}', " "));
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 MiB", "256.0 MiB", "27.9 GiB"]);
        assert_eq!(time("2026-11-23T10:20:05Z"), "10:20:05 UTC");
    }

    #[test]
    fn nothing_but_the_page_s_own_style_and_script_may_run() {
        let page = Page::new().expect("a sound template");
        assert_eq!((TEMPLATE.matches("<script").count(), TEMPLATE.matches("<style").count()), (1, 1));
        assert_eq!(page.policy().matches("'sha256-").count(), 2);
        assert!(!page.policy().contains("unsafe") && !TEMPLATE.contains(" style=") && !TEMPLATE.contains(" onclick="));
    }
}
