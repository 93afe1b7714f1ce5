//! The status page: one document, rendered with the figures of the moment, that draws itself anew
//! where scripts run.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::words::{bytes, duration, number, rate, time};

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
        template
            .render(minijinja::context! { s => minijinja::Value::from_serialize(status) })
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
    use super::*;

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
