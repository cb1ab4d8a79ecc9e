//! Timeline events in words.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use quell_domain::event::TimelineEvent;
use quell_domain::{Actor, EventId};
use serde_json::{Map, Value};

use crate::moment::Moment;
use crate::render::words;
use crate::views::{ActorView, Link, TimelineEntry};

/// How much later than it happened an event is recorded before that is worth saying.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// `events`, newest first, in words.
pub(crate) fn entries(events: &[TimelineEvent], now: Timestamp) -> Vec<TimelineEntry> {
    let corrected: BTreeSet<EventId> = events.iter().filter_map(|event| event.supersedes).collect();
    events.iter().rev().map(|event| entry(event, corrected.contains(&event.id), now)).collect()
}

fn entry(event: &TimelineEvent, superseded: bool, now: Timestamp) -> TimelineEntry {
    let told = tell(&event.kind, &Data(&event.data));
    let late = event.recorded_at.duration_since(event.occurred_at) > LATE;
    TimelineEntry {
        sequence: event.sequence,
        at: Moment::new(event.occurred_at, now),
        recorded: late.then(|| Moment::new(event.recorded_at, now)),
        icon: told.icon,
        tone: told.tone,
        what: told.what,
        actor: actor(&event.actor),
        detail: told.detail,
        said: told.said,
        link: told.link,
        superseded,
    }
}

fn actor(actor: &Actor) -> ActorView {
    ActorView::from(actor)
}

struct Data<'a>(&'a Map<String, Value>);

impl Data<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn word(&self, name: &str) -> String {
        self.text(name).unwrap_or("?").replace('_', " ")
    }

    fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(Into::into)
    }

    /// `block user u-7`, from what a measure's event says about it.
    fn measure(&self) -> String {
        let application = self.text("application").unwrap_or("the application");
        let target = self.0.get("target").and_then(Value::as_object);
        let sort = target.and_then(|t| t.get("type")?.as_str()).unwrap_or("application");
        let name =
            target.and_then(|t| t.get(if sort == "api_key" { "key" } else { sort })?.as_str());
        let target = match (sort, name) {
            ("application", _) => application.to_owned(),
            ("pattern", _) => "text by pattern".to_owned(),
            (_, Some(name)) => format!("{} {name}", sort.replace('_', " ")),
            (_, None) => sort.to_owned(),
        };
        match self.text("effect") {
            Some("restrict") => format!("block {target}"),
            Some("degrade") => format!("degrade {target}"),
            Some("fallback") => format!("switch {target} to fallback"),
            Some("shutdown") => format!("shut down {target}"),
            _ => target,
        }
    }
}

struct Told {
    icon: &'static str,
    tone: &'static str,
    what: String,
    detail: Option<String>,
    said: Option<String>,
    link: Option<Link>,
}

impl Told {
    fn new(icon: &'static str, tone: &'static str, what: impl Into<String>) -> Self {
        Self { icon, tone, what: what.into(), detail: None, said: None, link: None }
    }

    fn detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    fn said(mut self, said: Option<String>) -> Self {
        self.said = said;
        self
    }

    fn link(mut self, href: Option<String>, text: &str) -> Self {
        self.link = href.map(|href| Link::new(href, text));
        self
    }
}

/// What an event means. A kind nobody taught is still shown, by its name and reason.
fn tell(kind: &str, data: &Data<'_>) -> Told {
    match kind.split_once('.') {
        Some(("incident", verb)) => incident(verb, data),
        Some(("measure", verb)) => measure(verb, data),
        Some(("approval", verb)) => approval(verb, data),
        Some(("role", verb)) => {
            let verb = if verb == "assumed" { "took" } else { "gave back" };
            let person = data.text("person").unwrap_or("somebody");
            Told::new("role", "accent", format!("{person} {verb} the role {}", data.word("role")))
        }
        Some(("note", _)) => Told::new("note", "quiet", "Note").said(data.owned("text")),
        Some(("evidence", verb)) => evidence(verb, data),
        Some(("signal", "labelled")) => {
            Told::new("note", "quiet", format!("Signal labelled {}", data.word("label")))
                .detail(data.owned("reason"))
                .link(data.text("signal").map(crate::signal::handler::href), "open")
        }
        Some(("signal", "label_withdrawn")) => {
            Told::new("note", "quiet", "Signal's label taken away")
                .link(data.text("signal").map(crate::signal::handler::href), "open")
        }
        Some(("feedback", "labelled")) => Told::new(
            "note",
            "quiet",
            format!("{} signals labelled {}", data.number("signals"), data.word("label")),
        ),
        Some(("feedback", "withdrawn")) => Told::new(
            "note",
            "quiet",
            format!("Labels of {} signals taken back", data.number("signals")),
        ),
        Some(("interaction", "read")) => {
            Told::new("eye", "quiet", "Text of an interaction was read")
                .detail(data.owned("reason"))
                .link(data.text("interaction").map(|id| format!("/interactions/{id}")), "open")
        }
        _ => {
            Told::new("info", "quiet", words(&kind.replace('.', ": "))).detail(data.owned("reason"))
        }
    }
}

fn incident(verb: &str, data: &Data<'_>) -> Told {
    let reason = data.owned("reason");
    match verb {
        "opened" => {
            Told::new("incidents", "high", "Incident opened").detail(data.owned("rationale"))
        }
        "declared" => Told::new("active", "high", "Declared: people are on it").detail(reason),
        "spread" => Told::new("detections", "high", "Spread to somebody new")
            .detail(Some(format!("{} principals so far", data.number("principals"))))
            .link(data.text("interaction").map(|id| format!("/interactions/{id}")), "interaction"),
        "severity_changed" => {
            let to = data.text("to").unwrap_or_default();
            let tone = ["critical", "high", "medium", "low"]
                .into_iter()
                .find(|known| *known == to)
                .unwrap_or("quiet");
            Told::new(tone, tone, format!("Severity {} → {to}", data.word("from"))).detail(reason)
        }
        "reclassified" => {
            let what = format!("Kind {} → {}", data.word("from"), data.word("to"));
            Told::new("detections", "quiet", what).detail(reason)
        }
        "contained" => Told::new("contained", "ok", "Contained").detail(reason),
        "relapsed" => Told::new("active", "critical", "Harm goes on: active again").detail(reason),
        "dismissed" => Told::new("x", "quiet", "Found to be a false positive").detail(reason),
        "closed" => Told::new("closed", "quiet", "Closed").detail(reason),
        "reopened" => Told::new("active", "high", "Reopened").detail(reason),
        "merged" => Told::new("merged", "quiet", "Merged into another incident")
            .link(data.text("into").map(|id| format!("/incidents/{id}")), "open"),
        "absorbed" => Told::new("merged", "quiet", format!("Absorbed {}", data.word("number")))
            .link(data.text("from").map(|id| format!("/incidents/{id}")), "open"),
        "eradicating" => Told::new("eradicating", "wait", "Eradicating").detail(reason),
        "recovering" => Told::new("recovering", "wait", "Recovering").detail(reason),
        "monitoring" => Told::new("monitoring", "wait", "Monitoring").detail(reason),
        other => Told::new("incidents", "quiet", words(other)).detail(reason),
    }
}

fn measure(verb: &str, data: &Data<'_>) -> Told {
    let (icon, tone, word) = match verb {
        "proposed" => ("proposed", "medium", "Proposed"),
        "approved" => ("approved", "wait", "Approved"),
        "rejected" => ("rejected", "quiet", "Rejected"),
        "requested" => ("requested", "wait", "Requested"),
        "acknowledged" => ("acknowledged", "wait", "Acknowledged"),
        "verified" => ("verified", "ok", "Verified"),
        "failed" => ("failed", "critical", "Not verified"),
        "lifting" => ("lifting", "wait", "Lifting"),
        "lifted" => ("lifted", "quiet", "Lifted"),
        "expired" => ("expired", "quiet", "Ran out"),
        _ => ("shield", "quiet", "Measure"),
    };
    let detail = if matches!(verb, "proposed" | "requested" | "rejected") {
        data.owned("reason")
    } else {
        data.owned("detail")
    };
    let anchor = data.text("measure").map(|id| format!("#{id}"));
    let told = Told::new(icon, tone, format!("{word}: {}", data.measure())).detail(detail);
    if matches!(verb, "lifted" | "expired" | "rejected") { told } else { told.link(anchor, "show") }
}

fn approval(verb: &str, data: &Data<'_>) -> Told {
    match verb {
        "requested" => {
            Told::new("proposed", "medium", "Approval asked for").detail(data.owned("summary"))
        }
        "granted" => Told::new("approved", "ok", "Approval granted").detail(data.owned("reason")),
        "denied" => Told::new("rejected", "quiet", "Approval denied").detail(data.owned("reason")),
        _ => Told::new("approved", "quiet", "Approval used"),
    }
}

fn evidence(verb: &str, data: &Data<'_>) -> Told {
    match verb {
        "captured" => Told::new("evidence", "quiet", "Evidence preserved").detail(Some(format!(
            "{} items in all",
            data.number("total").max(data.number("items"))
        ))),
        "exported" => {
            Told::new("download", "quiet", "Evidence exported").detail(data.owned("reason"))
        }
        _ => Told::new("evidence", "quiet", "Evidence was read").detail(data.owned("reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(kind: &str, data: &Value) -> Told {
        tell(kind, &Data(data.as_object().expect("an object")))
    }

    #[test]
    fn events_are_told_in_words() {
        for (kind, data, what) in [
            (
                "measure.requested",
                json!({"effect": "restrict", "target": {"type": "user", "user": "u-7"}}),
                "Requested: block user u-7",
            ),
            (
                "measure.failed",
                json!({"effect": "shutdown", "application": "shop", "target": {"type": "application"}}),
                "Not verified: shut down shop",
            ),
            (
                "measure.verified",
                json!({"effect": "restrict", "target": {"type": "pattern", "sha256": "ab"}}),
                "Verified: block text by pattern",
            ),
            (
                "incident.severity_changed",
                json!({"from": "high", "to": "critical"}),
                "Severity high → critical",
            ),
            (
                "role.assumed",
                json!({"role": "incident_commander", "person": "on-call"}),
                "on-call took the role incident commander",
            ),
            ("sun.rose", json!({}), "Sun: rose"),
        ] {
            assert_eq!(told(kind, &data).what, what);
        }
    }

    #[test]
    fn a_hostile_severity_never_becomes_a_class() {
        assert_eq!(told("incident.severity_changed", &json!({"to": "\"><script>"})).tone, "quiet");
    }
}
