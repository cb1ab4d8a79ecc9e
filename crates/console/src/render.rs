//! Templates and how they are filled: strict about undefined names, escaping always.

use std::sync::LazyLock;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::icons::icon;
use crate::shell::Shell;

/// A screen's context and the template it fills.
pub trait Page: Serialize {
    /// Template name, e.g. `incident/page.html`.
    const TEMPLATE: &'static str;
    /// Blocks of the template that can be fetched alone.
    const REGIONS: &'static [&'static str] = &[];
}

/// Why a page could not be made. A defect of the product, never of the reader's input.
#[derive(Debug, thiserror::Error)]
#[error("page {template} could not be rendered: {reason}")]
pub struct RenderError {
    template: &'static str,
    reason: String,
}

macro_rules! templates {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!($name))),+] };
}

const TEMPLATES: [(&str, &str); 25] = templates![
    "layout/base.html",
    "layout/bare.html",
    "layout/parts.html",
    "setup/page.html",
    "sign_in/page.html",
    "overview/page.html",
    "incidents/page.html",
    "incident/declare.html",
    "incident/page.html",
    "incident/panel.html",
    "containment/page.html",
    "confirm/page.html",
    "interactions/page.html",
    "interaction/page.html",
    "detections/page.html",
    "detections/proposed.html",
    "rule/page.html",
    "models/page.html",
    "application/page.html",
    "signal/page.html",
    "baselines/page.html",
    "baselines/scope.html",
    "people/page.html",
    "settings/page.html",
    "errors/page.html",
];

static ENVIRONMENT: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(
        minijinja::syntax::SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| error.to_string())?,
    );
    environment.add_function("icon", |name: String| icon(&name));
    environment.add_filter("words", |text: String| words(&text));
    environment.add_filter("tone", |text: String| tone(&text));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(|error| format!("{error:#}"))?;
    }
    Ok(environment)
});

/// The whole page.
pub fn page<P: Page>(shell: &Shell, page: &P) -> Result<String, RenderError> {
    fill(shell, page, None)
}

/// One region of the page: the block of that name in its own template.
pub fn region<P: Page>(shell: &Shell, page: &P, block: &str) -> Result<String, RenderError> {
    fill(shell, page, Some(block))
}

fn fill<P: Page>(shell: &Shell, page: &P, block: Option<&str>) -> Result<String, RenderError> {
    let failed = |reason: String| RenderError { template: P::TEMPLATE, reason };
    let environment = ENVIRONMENT.as_ref().map_err(|reason| failed(reason.clone()))?;
    let template =
        environment.get_template(P::TEMPLATE).map_err(|error| failed(format!("{error:#}")))?;
    let values = context! {
        shell => Value::from(Serde(shell)),
        page => Value::from(Serde(page)),
    };
    let rendered = match block {
        None => template.render(values),
        Some(block) => template
            .render_captured(values)
            .and_then(|mut captured| captured.with_state_mut(|state| state.render_block(block))),
    };
    rendered.map_err(|error| failed(format!("{error:#}")))
}

/// A stored name as people read it: `would_block` → `Would block`.
pub(crate) fn words(text: &str) -> String {
    let mut out = text.replace('_', " ");
    if let Some(first) = out.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    out
}

/// The tone of a state or outcome. Colour never stands alone: the word and shape go with it.
fn tone(name: &str) -> &'static str {
    match name {
        "verified" | "released" | "contained" | "allowed" | "live" | "enforce" | "confirmed"
        | "normal" => "ok",
        "requested" | "acknowledged" | "approved" | "lifting" | "recovering" | "monitoring"
        | "eradicating" | "stale" | "settling" => "wait",
        "failed" | "lost" | "shut_down" => "critical",
        "active" | "alarming" | "blocked" => "high",
        "redacted" | "degraded" | "fallback" | "rolled_back" | "would_block" | "triage"
        | "proposed" => "medium",
        _ => "quiet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_become_words() {
        assert_eq!(words("would_block"), "Would block");
        assert_eq!(words(""), "");
        assert_eq!(words("é_x"), "é x");
    }
}
