//! Classifiers: the one in force, those that people brought, and how far each got.

use quell_domain::snapshot::ShadowCounts;
use quell_store::GateResult;
use serde::Serialize;

use crate::moment::{Moment, grouped};
use crate::render::Page;
use crate::sample;
use crate::views::{ActorView, Link};

/// The models page.
#[derive(Debug, Clone, Serialize)]
pub struct Models {
    /// The one in force.
    pub in_force: InForce,
    /// Those that people brought, newest first.
    pub brought: Vec<ModelView>,
    /// Whether the viewer may bring one.
    pub can_admin: bool,
    /// What was wrong with the last form.
    pub error: Option<String>,
    /// The reason given in it.
    pub reason: String,
}

impl Page for Models {
    const TEMPLATE: &'static str = "models/page.html";
}

/// The model in force.
#[derive(Debug, Clone, Serialize)]
pub struct InForce {
    /// Its name.
    pub name: String,
    /// SHA-256.
    pub sha256: String,
    /// Whether it ships with this release.
    pub ships: bool,
    /// What gateways say they judge with.
    pub gateways: String,
    /// Whether every gateway that reports judges with it.
    pub everywhere: bool,
    /// What rolling back goes to, where that is possible.
    pub before: Option<String>,
    /// The viewer may roll back.
    pub can_roll_back: bool,
}

/// A model that somebody brought.
#[derive(Debug, Clone, Serialize)]
pub struct ModelView {
    /// The first digits of its SHA-256; also the anchor.
    pub short: String,
    /// SHA-256.
    pub sha256: String,
    /// The name it carries.
    pub name: String,
    /// How large it is.
    pub size: String,
    /// `candidate`, `refused`, `shadow`, `released`, `retired`, `rolled_back`.
    pub state: &'static str,
    /// Whether its way is over: it was in force.
    pub done: bool,
    /// What the gate said.
    pub gate: GateView,
    /// What it would have flagged.
    pub shadow: Option<ShadowView>,
    /// Who did what when, oldest first.
    pub trail: Vec<Trail>,
    /// The request for its release.
    pub request: Option<RequestView>,
    /// What the viewer may do.
    pub actions: Vec<Link>,
    /// What has to come first.
    pub blocked: Option<String>,
}

/// What the gate said: the model against the one that was in force.
#[derive(Debug, Clone, Serialize)]
pub struct GateView {
    /// Whether it may go on.
    pub passed: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The figures.
    pub rows: Vec<GateRow>,
}

/// One figure of the gate.
#[derive(Debug, Clone, Serialize)]
pub struct GateRow {
    /// What was counted.
    pub what: &'static str,
    /// By the model in force then.
    pub before: u64,
    /// By this one.
    pub after: u64,
    /// Of how many.
    pub of: u64,
    /// `ok`, `bad`, or empty for the same.
    pub tone: &'static str,
}

/// What a model in shadow would have flagged.
#[derive(Debug, Clone, Serialize)]
pub struct ShadowView {
    /// Requests judged.
    pub judged: String,
    /// How many it takes before a release may be asked for.
    pub needed: u64,
    /// Whether that is reached.
    pub enough: bool,
    /// How far that is, percent.
    pub progress: u64,
    /// How often both said the same, in words.
    pub agreement: String,
    /// Flagged by the one in force.
    pub now: String,
    /// What this one would flag.
    pub then: String,
    /// What this one alone would flag.
    pub newly: String,
    /// What it would let pass that is flagged now.
    pub no_longer: String,
    /// Not judged, because it was busy.
    pub skipped: u64,
}

/// One step of a model's way.
#[derive(Debug, Clone, Serialize)]
pub struct Trail {
    /// What.
    pub what: &'static str,
    /// Who.
    pub actor: ActorView,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
}

/// A release that waits for a second person.
#[derive(Debug, Clone, Serialize)]
pub struct RequestView {
    /// Who asks.
    pub by: ActorView,
    /// When.
    pub at: Moment,
    /// When it lapses.
    pub expires: Moment,
    /// Why.
    pub reason: String,
    /// Why the viewer may not decide; none if they may.
    pub blocked: Option<String>,
}

impl GateView {
    /// The figures of `gate`.
    pub fn new(gate: &GateResult) -> Self {
        let row = |what, before: u64, after: u64, of, more_is_better: bool| GateRow {
            what,
            before,
            after,
            of,
            tone: match (before == after, (after > before) == more_is_better) {
                (true, _) => "",
                (false, true) => "ok",
                (false, false) => "bad",
            },
        };
        let (attacks, alarms) = (gate.attacks_after, gate.alarms_after);
        let rows = vec![
            row("Known attacks caught", gate.attacks_before, attacks, gate.attacks, true),
            row("Alarms on harmless texts", gate.alarms_before, alarms, gate.harmless, false),
            row(
                "Judged as people labelled it",
                gate.feedback_before,
                gate.feedback_after,
                gate.feedback,
                true,
            ),
        ];
        Self { passed: gate.passed, reasons: gate.reasons.clone(), rows }
    }
}

impl ShadowView {
    /// The figures of `counts`; a release takes `needed` requests.
    pub fn new(counts: &ShadowCounts, needed: u64) -> Self {
        let newly = counts.flagged_then.saturating_sub(counts.flagged_both);
        let no_longer = counts.flagged_now.saturating_sub(counts.flagged_both);
        let same = counts.judged.saturating_sub(newly + no_longer);
        let agreement = match counts.judged {
            0 => "nothing judged yet".into(),
            judged => format!("{:.1} %", same as f64 * 100.0 / judged as f64),
        };
        Self {
            judged: grouped(counts.judged),
            needed,
            enough: counts.judged >= needed,
            progress: (counts.judged * 100 / needed.max(1)).min(100),
            agreement,
            now: grouped(counts.flagged_now),
            then: grouped(counts.flagged_then),
            newly: grouped(newly),
            no_longer: grouped(no_longer),
            skipped: counts.skipped,
        }
    }
}

impl Models {
    /// A release that waits, seen by the second and by the first person, and a fresh deployment.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let second = Self {
            in_force: InForce {
                name: "spring labels".into(),
                sha256: digest("7d41"),
                ships: false,
                gateways: "Judging with it: 2 of 2 gateways".into(),
                everywhere: true,
                before: Some("the model that ships".into()),
                can_roll_back: true,
            },
            brought: vec![in_shadow(), refused(), released(), rolled_back()],
            can_admin: true,
            error: None,
            reason: String::new(),
        };
        let mut first = second.clone();
        if let Some(request) = first.brought.first_mut().and_then(|model| model.request.as_mut()) {
            request.blocked =
                Some("Whoever asks for a release cannot approve it; somebody else must.".into());
        }
        first.error = Some("The file is no model that quell model train wrote.".into());
        first.reason = "forty labels from the autumn".into();
        let fresh = Self {
            in_force: InForce {
                name: "shipped".into(),
                ships: true,
                gateways: "Judging with it: 1 of 2 gateways; not yet gw-2".into(),
                everywhere: false,
                before: None,
                ..second.in_force.clone()
            },
            brought: Vec::new(),
            can_admin: false,
            ..second.clone()
        };
        vec![("second-person", second), ("first-person", first), ("shipped-reader", fresh)]
    }
}

fn digest(start: &str) -> String {
    format!("{start}{}", "c09be1f2".repeat(8)).chars().take(64).collect()
}

fn step(what: &'static str, name: &str, seconds: i64, reason: &str) -> Trail {
    Trail { what, actor: sample::person(name), at: sample::moment(seconds), reason: reason.into() }
}

fn in_shadow() -> ModelView {
    let gate = GateResult {
        passed: true,
        reasons: Vec::new(),
        attacks: 412,
        attacks_before: 371,
        attacks_after: 380,
        harmless: 388,
        alarms_before: 4,
        alarms_after: 3,
        feedback: 57,
        feedback_before: 41,
        feedback_after: 55,
    };
    let counts = ShadowCounts {
        sha256: String::new(),
        judged: 18_204,
        flagged_now: 96,
        flagged_then: 81,
        flagged_both: 78,
        skipped: 12,
    };
    ModelView {
        short: "b3a85f01c09b".into(),
        sha256: digest("b3a85f01"),
        name: "summer labels".into(),
        size: "1.2 MB".into(),
        state: "shadow",
        done: false,
        gate: GateView::new(&gate),
        shadow: Some(ShadowView::new(&counts, 100)),
        trail: vec![
            step("Brought", "lead", 260_000, "57 labels, fewer false alarms on recipes"),
            step("Put in shadow", "lead", 172_800, ""),
        ],
        request: Some(RequestView {
            by: sample::person("lead"),
            at: sample::moment(900),
            expires: sample::moment(-13_500),
            reason: "fewer false alarms for two days".into(),
            blocked: None,
        }),
        actions: vec![Link::new("/models/b3a85f01/unshadow", "End the trial…")],
        blocked: None,
    }
}

fn refused() -> ModelView {
    let gate = GateResult {
        passed: false,
        reasons: vec![
            "it loses 12 known attacks that the model in force catches, of: the known attacks that ship".into(),
        ],
        attacks_after: 362,
        ..GateResult { attacks: 412, attacks_before: 371, harmless: 388, ..GateResult::default() }
    };
    ModelView {
        short: "0f99aa17c09b".into(),
        name: "only-the-support-queue-of-one-weekend-without-any-cleaning".into(),
        state: "refused",
        gate: GateView::new(&gate),
        shadow: None,
        trail: vec![step("Brought", "lead", 700_000, "see what the gate says")],
        request: None,
        actions: Vec::new(),
        blocked: Some("The gate refuses it; it is kept, and goes nowhere.".into()),
        ..in_shadow()
    }
}

fn released() -> ModelView {
    ModelView {
        short: "7d41c09be1f2".into(),
        sha256: digest("7d41"),
        name: "spring labels".into(),
        state: "released",
        done: true,
        shadow: None,
        trail: vec![
            step("Brought", "lead", 9_000_000, "first own labels"),
            step("Released", "on-call", 8_700_000, ""),
        ],
        request: None,
        actions: Vec::new(),
        ..in_shadow()
    }
}

fn rolled_back() -> ModelView {
    ModelView {
        short: "55e2c09be1f2".into(),
        name: "winter labels".into(),
        state: "rolled_back",
        trail: vec![
            step("Brought", "lead", 12_000_000, "more languages"),
            step("Released", "on-call", 11_000_000, ""),
            step("Rolled back", "on-call", 10_900_000, "flags every order number"),
        ],
        ..released()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_counts_what_both_flag_and_what_neither_does() {
        let counts = ShadowCounts {
            judged: 200,
            flagged_now: 10,
            flagged_then: 8,
            flagged_both: 6,
            ..ShadowCounts::default()
        };
        let view = ShadowView::new(&counts, 100);
        assert_eq!((view.newly.as_str(), view.no_longer.as_str()), ("2", "4"));
        assert_eq!(view.agreement, "97.0 %");
        let none = ShadowView::new(&ShadowCounts::default(), 100);
        assert_eq!((none.enough, none.progress), (false, 0));
        assert_eq!(none.agreement, "nothing judged yet");
    }

    #[test]
    fn fewer_alarms_and_more_attacks_are_better() {
        let gate = GateResult {
            attacks_before: 1,
            attacks_after: 2,
            alarms_before: 1,
            alarms_after: 2,
            ..GateResult::default()
        };
        let tones: Vec<_> = GateView::new(&gate).rows.iter().map(|row| row.tone).collect();
        assert_eq!(tones, ["ok", "bad", ""]);
    }
}
