//! The status page: one document, rendered with the figures of the moment, that draws itself anew
//! where scripts run.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::words::{bytes, duration, elapsed, number, percent, rate, time};
use crate::message::Reason;

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
        environment.add_filter("rate", rate);
        environment
            .add_filter("dollars", |value: f64, decimals: usize| format!("{value:.decimals$}"));
        environment.add_filter("duration", duration);
        environment.add_filter("elapsed", elapsed);
        environment.add_filter("percent", percent);
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

    pub fn render(&self, told: &impl Serialize) -> Result<String> {
        let template = self.environment.get_template("page.html")?;
        let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        template
            .render(minijinja::context! { s => minijinja::Value::from_serialize(told), reasons })
            .context("the status page cannot be drawn")
    }
}

/// Of what stands between the tags of the page's one element `name`, as a Content-Security-Policy
/// names it.
fn hash(page: &str, name: &str) -> Result<String> {
    let (_, rest) = page
        .split_once(&format!("<{name}>"))
        .with_context(|| format!("the status page has no <{name}>"))?;
    let (text, _) = rest
        .split_once(&format!("</{name}>"))
        .with_context(|| format!("the status page does not end its <{name}>"))?;
    Ok(format!("sha256-{}", STANDARD.encode(Sha256::digest(text))))
}

#[cfg(test)]
mod tests {
    use minijinja::UndefinedBehavior;

    use super::super::headline;
    use super::super::history::History;
    use super::super::quiet::quiet;
    use super::super::status::{GoesOn, LastDeadLetter, LastError, MissingIndex, Status};
    use super::super::told::{Now, Setting, Whole};
    use super::*;
    use crate::telemetry::counters::Counters;

    /// A worker of which there is something to say everywhere.
    fn talkative() -> Status {
        let mut status = quiet();
        let (at, text) = (status.now, "no primary".to_owned());
        status.totals = Counters::default().totals().chain([("durable", 0)]).collect();
        status.api.requests = ["receive", "delete", "change_visibility", "other"]
            .map(|operation| (operation, 1))
            .into();
        status.gate.closed_at = Some(at);
        status.dead_letters.by_reason = [("bad_json", 2)].into();
        status.dead_letters.last = vec![LastDeadLetter {
            at,
            message_id: "m-1".to_owned(),
            route: Some("event".to_owned()),
            reason: "bad_json",
            text: text.clone(),
            body: Some("{".to_owned()),
            times: 2,
        }];
        let index = "{a: 1}".to_owned();
        let collection = "events".to_owned();
        status.indexes = vec![MissingIndex {
            collection,
            index,
            is_on_key: true,
            since: at,
            text: text.clone(),
        }];
        status.receives_fail = Some(GoesOn { since: at, text: text.clone() });
        status.last_errors = vec![LastError { at, what: "receive failed", text }];
        status
    }

    #[test]
    fn where_dead_letters_are_sent_is_said() {
        let page = Page::new().expect("a sound template");
        let url = r#""https://sqs.eu-west-1.amazonaws.com/1/portal-events-rejected""#;
        for (value, is_said) in [(url, true), ("unset", false)] {
            let status = talkative();
            let told = Whole {
                now: Now { headline: headline::of(&status), status },
                config: vec![Setting { key: "dead_letters.queue", value, from: "environment" }],
                history: History::default().points(),
            };
            let html = page.render(&told).expect("it is drawn");
            assert_eq!(html.contains("longshore dead-letters collect"), is_said, "{value}");
        }
    }

    /// The compiler does not see what the template and the script name.
    #[test]
    fn every_field_that_the_page_names_is_told() {
        let mut page = Page::new().expect("a sound template");
        page.environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let status = talkative();
        let told = Whole {
            now: Now { headline: headline::of(&status), status },
            config: vec![Setting { key: "queue.wait", value: "20s", from: "default" }],
            history: History::default().points(),
        };
        let html = page.render(&told).unwrap_or_else(|error| panic!("{error:#}"));
        let told = serde_json::to_value(&told).expect("JSON");
        let (values, bars) = (html.split("data-v=\"").skip(1), html.split("data-bar=\"").skip(1));
        let named = values.chain(bars).filter_map(|rest| rest.split('"').next());
        let paths: Vec<_> = named.flat_map(|paths| paths.split(' ')).collect();
        assert!(paths.len() > 40, "{paths:?}");
        // The script makes this one itself.
        for path in paths.into_iter().filter(|path| *path != "cost_a_day") {
            let place = format!("/{}", path.replace('.', "/"));
            assert!(told.pointer(&place).is_some(), "the page shows {path}, which nobody tells");
        }
    }

    #[test]
    fn nothing_but_the_page_s_own_style_and_script_may_run() {
        let page = Page::new().expect("a sound template");
        assert_eq!(
            (TEMPLATE.matches("<script").count(), TEMPLATE.matches("<style").count()),
            (1, 1)
        );
        assert_eq!(page.policy().matches("'sha256-").count(), 2);
        assert!(
            !page.policy().contains("unsafe")
                && !TEMPLATE.contains(" style=")
                && !TEMPLATE.contains(" onclick=")
        );
    }
}
