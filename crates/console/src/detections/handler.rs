//! `/detections`: rules, and which of them act.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Query;
use axum::response::{Html, Redirect};
use quell_control::rules::RuleView as Rule;
use quell_domain::rule::{RuleEffect, RuleMode};
use quell_store::RuleFigures;
use serde::Deserialize;

use crate::confirm::context::Confirm;
use crate::consequence::Consequence;
use crate::detections::context::{Detections, RuleView};
use crate::http::failure::sentence;
use crate::http::{Failure, Posted, Signed, link};
use crate::shell::Section;
use crate::views::{Choice, Pager};

/// Rules of a page.
const ROWS: usize = 20;

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    q: String,
    mode: String,
    pack: String,
    page: usize,
}

/// Which rule is to get which mode.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    rule: String,
    mode: String,
}

/// `GET /detections`
pub(crate) async fn list(
    by: Signed,
    Query(filter): Query<Filter>,
) -> Result<Html<String>, Failure> {
    let mut rules = by.console.control.rules(&by.access).await?;
    let figures = by.console.control.rule_figures(&by.access).await?;
    let figures: BTreeMap<String, RuleFigures> =
        figures.into_iter().map(|figures| (figures.rule.clone(), figures)).collect();
    let packs: BTreeSet<String> = rules.iter().map(|rule| rule.info.pack.clone()).collect();
    let all = rules.len();
    let enforced = rules.iter().filter(|rule| rule.info.mode == RuleMode::Enforce).count();
    let wanted = filter.q.trim().to_lowercase();
    rules.retain(|rule| {
        fits(rule, &wanted)
            && (filter.mode.is_empty() || rule.info.mode.as_str() == filter.mode)
            && (filter.pack.is_empty() || rule.info.pack == filter.pack)
    });
    let week = |rule: &Rule| figures.get(&rule.info.id).map_or(0, |figures| figures.week);
    rules.sort_by_key(|rule| {
        let severity = rule.info.severity;
        (std::cmp::Reverse((week(rule) > 0, severity)), rule.info.title.clone())
    });
    let found = rules.len();
    let first = filter.page.saturating_mul(ROWS).min(found);
    let last = first.saturating_add(ROWS).min(found);
    let at = |page: usize| {
        let page = if page == 0 { String::new() } else { page.to_string() };
        let narrowed = [
            ("q", filter.q.trim()),
            ("mode", &filter.mode),
            ("pack", &filter.pack),
            ("page", &page),
        ];
        link("/detections", &narrowed)
    };
    let content = Detections {
        pager: Pager {
            summary: format!("{} to {last} of {found} rules", (first + 1).min(last)),
            previous: (first > 0).then(|| at(0)),
            next: (last < found).then(|| at(filter.page + 1)),
        },
        rules: rules.drain(first..last).map(|rule| view(rule, &figures)).collect(),
        summary: format!("{all} rules: {enforced} enforced, {} in shadow", all - enforced),
        refused: Vec::new(),
        q: filter.q,
        mode: filter.mode,
        modes: vec![Choice::new("enforce", "Enforced"), Choice::new("shadow", "In shadow")],
        pack: filter.pack,
        packs: packs.into_iter().map(|pack| Choice::new(pack.clone(), pack_name(&pack))).collect(),
        can_try: by.viewer.can_respond,
        can_admin: by.viewer.can_admin,
    };
    by.page(Section::Detections, &content).await
}

fn fits(rule: &Rule, wanted: &str) -> bool {
    let info = &rule.info;
    [info.title.as_str(), &info.id, info.kind.title(), info.kind.as_str()]
        .iter()
        .any(|text| text.to_lowercase().contains(wanted))
}

/// `rules/jailbreak.yaml` → `jailbreak`.
fn pack_name(path: &str) -> &str {
    let name = path.strip_prefix("rules/").unwrap_or(path);
    name.strip_suffix(".yaml").unwrap_or(name)
}

fn view(rule: Rule, figures: &BTreeMap<String, RuleFigures>) -> RuleView {
    let info = rule.info;
    let figures = figures.get(&info.id).cloned().unwrap_or_default();
    let would = match info.effect {
        RuleEffect::Redact => "redacted",
        RuleEffect::Block | RuleEffect::Signal => "blocked",
    };
    let mut about = info.description;
    if !info.false_positives.is_empty() {
        about = format!(
            "{about} Ordinary things that match as well: {}.",
            info.false_positives.join("; ")
        );
    }
    RuleView {
        href: crate::rule::handler::href(&info.id),
        day: figures.day,
        week: figures.week,
        would_act: (figures.would_act > 0)
            .then(|| format!("{} would have been {would}", figures.would_act)),
        precision: crate::rule::handler::precision(&figures),
        id: info.id,
        title: info.title,
        about,
        kind_title: info.kind.title().into(),
        severity: info.severity,
        mode: info.mode.to_string(),
        effect: info.effect.to_string(),
        surface: if info.correlation { "counts".into() } else { info.direction.to_string() },
        taxonomy: info.taxonomy,
        source: match rule.setting {
            Some(setting) => format!("{}, mode set by {}", info.pack, setting.actor),
            None => info.pack,
        },
    }
}

/// `GET /detections/mode`: says what changing a rule's mode would do.
pub(crate) async fn ask(by: Signed, Query(change): Query<Change>) -> Result<Html<String>, Failure> {
    let rules = by.console.control.rules(&by.access).await?;
    let rule = rules
        .into_iter()
        .find(|rule| rule.info.id == change.rule)
        .ok_or_else(|| Failure::not_found("There is no such rule."))?;
    let enforce = mode(&change.mode)? == RuleMode::Enforce;
    let effect = rule.info.effect;
    let (title, label, does) = if enforce {
        ("Enforce", "Enforce", format!("A match has its effect: {effect}."))
    } else {
        (
            "Put in shadow",
            "Put in shadow",
            format!("A match only reports that it would have had its effect: {effect}."),
        )
    };
    let refused = if enforce {
        by.console.control.enforcing_refused(&by.access, &change.rule).await?
    } else {
        None
    };
    let mut back = crate::rule::handler::href(&change.rule);
    if refused.is_some() {
        back.push_str("#backtest");
    }
    let confirm = Confirm {
        title: format!("{title}: {}", rule.info.title),
        consequence: refused.is_none().then(|| Consequence {
            does,
            whom: "Every application whose traffic matches.".into(),
            others: "Other rules stay as they are. Signals are raised in both modes.".into(),
            until: "somebody changes it back".into(),
            undo: "Change the mode again here.".into(),
        }),
        refused: refused.map(|refused| sentence(&refused)),
        warning: None,
        action: "/detections/mode".into(),
        fields: vec![Choice::new("rule", change.rule), Choice::new("mode", change.mode)],
        ask_reason: true,
        label: label.into(),
        tone: "main",
        back,
    };
    by.page(Section::Detections, &confirm).await
}

/// `POST /detections/mode`
pub(crate) async fn change(Posted { by, fields }: Posted) -> Result<Redirect, Failure> {
    let (rule, mode) = (fields.get("rule"), mode(fields.get("mode"))?);
    by.console.control.set_rule_mode(&by.access, rule, mode, fields.get("reason")).await?;
    Ok(Redirect::to(&format!("{}?done=mode", crate::rule::handler::href(rule))))
}

fn mode(text: &str) -> Result<RuleMode, Failure> {
    text.parse().map_err(|_| Failure::invalid("A rule is in mode enforce or shadow."))
}
