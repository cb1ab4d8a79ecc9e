//! Values the sample pages share: one night with a jailbreak that spreads.

use jiff::{SignedDuration, Timestamp};
use quell_domain::measure::{Degradation, Effect, Measure, MeasureState, Target};
use quell_domain::taxonomy::TaxonomyRef;
use quell_domain::{Actor, IncidentKind, IncidentState, MeasureId, Severity};

use crate::moment::Moment;
use crate::shell::{Posture, Section, Shell, Tally, Theme, Viewer, nav};
use crate::views::{ActorView, Link, MeasureView};

/// The night's incident.
pub(crate) const NUMBER: &str = "INC-2026-0042";
pub(crate) const APPLICATION: &str = "shop-assistant";

/// When every sample page is made.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_795_144_447).unwrap_or_default()
}

/// `seconds` before that.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn moment(seconds: i64) -> Moment {
    Moment::new(ago(seconds), now())
}

pub(crate) fn tally() -> Tally {
    Tally {
        open_incidents: 4,
        critical_incidents: 1,
        in_force: 3,
        verified: 2,
        failed: 0,
        proposed: 2,
    }
}

/// The frame around a sample.
pub(crate) fn shell(section: Option<Section>, theme: Theme, assets: &str) -> Shell {
    Shell {
        viewer: viewer(),
        csrf: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(),
        theme,
        path: "/".into(),
        nav: nav(section, &tally()),
        posture: Posture::of(&tally()),
        now: Moment::new(now(), now()),
        seq: 318,
        toast: None,
        assets: crate::assets::paths(assets),
    }
}

pub(crate) fn viewer() -> Viewer {
    Viewer::new("on-call", "approver")
}

pub(crate) fn incident_link() -> Link {
    Link::new(format!("/incidents/{NUMBER}"), NUMBER)
}

pub(crate) fn person(name: &str) -> ActorView {
    ActorView { kind: "person", name: name.into() }
}

#[expect(clippy::expect_used, reason = "the text is made to be an id")]
fn id(nth: u128) -> MeasureId {
    format!("mea_01900000000070008000{nth:012x}").parse().expect("prefix and 32 hex digits")
}

/// Measures in every state that a page tells apart.
pub(crate) fn measure(nth: u128, state: MeasureState, effect: Effect, target: Target) -> Measure {
    let reached = |wanted: bool, seconds: i64| wanted.then(|| ago(seconds));
    let level = effect.level();
    let requested = !matches!(state, MeasureState::Proposed | MeasureState::Approved);
    let acknowledged =
        matches!(state, MeasureState::Acknowledged | MeasureState::Verified | MeasureState::Failed);
    Measure {
        id: id(nth),
        application: APPLICATION.into(),
        target,
        effect,
        reason: "Same role-play jailbreak, answered by the model".into(),
        incident: None,
        actor: if nth.is_multiple_of(2) {
            Actor::Policy(APPLICATION.into())
        } else {
            Actor::User("on-call".into())
        },
        approval: None,
        expires_at: (level < 4).then(|| ago(-3_300 - i64::from(level) * 1_800)),
        state,
        created_at: ago(420),
        requested_at: reached(requested, 412),
        acknowledged_at: reached(acknowledged, 411),
        verified_at: reached(state == MeasureState::Verified, 410),
        ended_at: None,
        epoch: 118,
        detail: match state {
            MeasureState::Verified => {
                Some("gw-1 and gw-2: target refused, control request passed".into())
            }
            MeasureState::Acknowledged => Some("2 of 2 gateways hold epoch 118; probing".into()),
            MeasureState::Failed => Some(
                "gw-2: the target's streamed request was answered (200); expected a refusal".into(),
            ),
            _ => None,
        },
        version: 3,
    }
}

pub(crate) fn user(name: &str) -> Target {
    Target::User { user: name.into() }
}

pub(crate) fn degrade() -> Effect {
    Effect::Degrade { limits: Degradation::default() }
}

pub(crate) fn in_force() -> Vec<MeasureView> {
    vec![
        view(&measure(2, MeasureState::Verified, Effect::Restrict, user("u-58213"))),
        view(&measure(3, MeasureState::Verified, degrade(), Target::Application)),
        view(&measure(5, MeasureState::Acknowledged, Effect::Restrict, user("u-77104"))),
    ]
}

pub(crate) fn proposals() -> Vec<MeasureView> {
    vec![
        view(&measure(4, MeasureState::Proposed, Effect::Restrict, user("u-90377"))),
        view(&measure(6, MeasureState::Proposed, Effect::Shutdown, Target::Application)),
    ]
}

pub(crate) fn view(measure: &Measure) -> MeasureView {
    MeasureView::new(measure, Some(incident_link()), None, &viewer(), now())
}

pub(crate) fn refs() -> Vec<TaxonomyRef> {
    [("mitre-atlas", "5.6", "AML.T0054"), ("owasp-llm", "2025", "LLM01")]
        .map(|(framework, version, id)| TaxonomyRef {
            framework: framework.into(),
            version: version.into(),
            id: id.into(),
        })
        .to_vec()
}

/// Rows for lists of incidents: number, title, kind, severity, state, minutes since opened.
pub(crate) const CASES: [(&str, &str, IncidentKind, Severity, IncidentState, i64); 8] = {
    use IncidentKind as K;
    use IncidentState as S;
    [
        (
            "INC-2026-0042",
            "Jailbreak by several users of shop-assistant",
            K::Jailbreak,
            Severity::Critical,
            S::Active,
            12,
        ),
        (
            "INC-2026-0041",
            "Card numbers in answers of billing-chat",
            K::DataExfiltration,
            Severity::High,
            S::Contained,
            47,
        ),
        (
            "INC-2026-0040",
            "Token flood from one key on shop-assistant",
            K::DenialOfService,
            Severity::Medium,
            S::Monitoring,
            190,
        ),
        (
            "INC-2026-0039",
            "System prompt extraction attempts against internal-search-over-policies-and-handbooks",
            K::PromptInjection,
            Severity::Low,
            S::Triage,
            260,
        ),
        (
            "INC-2026-0038",
            "Tool send_refund called outside its purpose",
            K::ToolMisuse,
            Severity::High,
            S::Closed,
            2_900,
        ),
        (
            "INC-2026-0037",
            "Poisoned document in the retrieval store",
            K::DataPoisoning,
            Severity::Medium,
            S::Recovering,
            4_400,
        ),
        (
            "INC-2026-0036",
            "Burst of refusals, no attack found",
            K::Unclassified,
            Severity::Low,
            S::FalsePositive,
            6_100,
        ),
        (
            "INC-2026-0035",
            "Key used from two places at once",
            K::CredentialCompromise,
            Severity::High,
            S::Eradicating,
            7_300,
        ),
    ]
};
