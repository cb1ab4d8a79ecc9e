//! What surrounds every page: who is looking, what is contained now, where one can go.

use serde::Serialize;

use crate::assets::AssetPaths;
use crate::moment::Moment;

/// The frame of a page.
#[derive(Debug, Clone, Serialize)]
pub struct Shell {
    /// Who is signed in; a nameless viewer on pages before that.
    pub viewer: Viewer,
    /// Goes into every form.
    pub csrf: String,
    /// Light, dark or the system's choice.
    pub theme: Theme,
    /// Where this page is, to come back to.
    pub path: String,
    /// The rail.
    pub nav: Vec<NavItem>,
    /// What is contained now, in one line.
    pub posture: Posture,
    /// When the page was made.
    pub now: Moment,
    /// The last event the page has seen; live updates resume there.
    pub seq: i64,
    /// What the last form did.
    pub toast: Option<Toast>,
    /// Where the style sheet and script are.
    pub assets: AssetPaths,
}

/// The signed-in person.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Viewer {
    /// Account name.
    pub name: String,
    /// Two letters.
    pub initials: String,
    /// Access role in words.
    pub role: String,
    /// May act on incidents.
    pub can_respond: bool,
    /// May approve level 4.
    pub can_approve: bool,
    /// May change settings and accounts.
    pub can_admin: bool,
}

impl Viewer {
    /// A viewer with the access role called `role`: viewer, responder, approver or admin.
    pub fn new(name: &str, role: &str) -> Self {
        let rank = ["viewer", "responder", "approver", "admin"].iter().position(|r| *r == role);
        Self {
            name: name.into(),
            initials: name.chars().filter(|c| c.is_alphanumeric()).take(2).collect(),
            role: role.into(),
            can_respond: rank >= Some(1),
            can_approve: rank >= Some(2),
            can_admin: rank >= Some(3),
        }
    }
}

/// The colour scheme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The scheme a cookie or form names; anything else is the system's choice.
    pub fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// The cookie's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The places of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// What is happening now.
    Overview,
    /// Every case.
    Incidents,
    /// Everything in force.
    Containment,
    /// The log of exchanges.
    Interactions,
    /// Rules.
    Detections,
    /// What is normal, and what left it.
    Baselines,
    /// Accounts.
    People,
    /// Applications, upstreams, keys, gateways.
    Settings,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Incidents,
        Self::Containment,
        Self::Interactions,
        Self::Detections,
        Self::Baselines,
        Self::People,
        Self::Settings,
    ];

    const fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Overview => ("/", "Overview", "overview"),
            Self::Incidents => ("/incidents", "Incidents", "incidents"),
            Self::Containment => ("/containment", "Containment", "containment"),
            Self::Interactions => ("/interactions", "Interactions", "interactions"),
            Self::Detections => ("/detections", "Detections", "detections"),
            Self::Baselines => ("/baselines", "Baselines", "baselines"),
            Self::People => ("/people", "People", "people"),
            Self::Settings => ("/settings", "Settings", "settings"),
        }
    }
}

/// One line of the rail.
#[derive(Debug, Clone, Serialize)]
pub struct NavItem {
    /// Where to.
    pub href: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// Whether this is the page.
    pub current: bool,
    /// How many need attention; zero shows nothing.
    pub count: u64,
    /// Whether that is urgent.
    pub hot: bool,
}

/// The rail with `current` marked.
pub(crate) fn nav(current: Option<Section>, tally: &Tally) -> Vec<NavItem> {
    Section::ALL
        .into_iter()
        .map(|section| {
            let (href, label, icon) = section.parts();
            let (count, hot) = match section {
                Section::Incidents => (tally.open_incidents, tally.critical_incidents > 0),
                Section::Containment => (tally.proposed, false),
                _ => (0, false),
            };
            NavItem { href, label, icon, current: current == Some(section), count, hot }
        })
        .collect()
}

/// The counts every page shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Incidents on which work is expected.
    pub open_incidents: u64,
    /// Of those, critical ones.
    pub critical_incidents: u64,
    /// Measures in force.
    pub in_force: u64,
    /// Of those, verified ones.
    pub verified: u64,
    /// Of those, failed ones.
    pub failed: u64,
    /// Measures that wait for a person.
    pub proposed: u64,
}

/// What is contained now, in one line with a shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Posture {
    /// `quiet`, `ok`, `wait`, `bad`.
    pub tone: &'static str,
    /// The shape.
    pub icon: &'static str,
    /// The words.
    pub text: String,
}

impl Posture {
    /// Reads the posture off the counts. Anything not verified is said.
    pub fn of(tally: &Tally) -> Self {
        let Tally { in_force, verified, failed, .. } = *tally;
        let (tone, icon, text) = if in_force == 0 {
            ("quiet", "shield", "Nothing contained".into())
        } else if failed > 0 {
            ("bad", "failed", format!("{failed} of {in_force} failed"))
        } else if verified < in_force {
            ("wait", "acknowledged", format!("{verified} of {in_force} verified"))
        } else {
            ("ok", "verified", format!("{in_force} contained, verified"))
        };
        Self { tone, icon, text }
    }
}

/// What the last form did, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toast {
    /// `ok`, `bad`, `warn`.
    pub tone: &'static str,
    /// The shape.
    pub icon: &'static str,
    /// The words.
    pub text: &'static str,
}

/// Codes a redirect may carry in `?done=`; a closed list, so no link can put words in our mouth.
const DONE: [(&str, &str); 27] = [
    ("noted", "Note added to the timeline."),
    ("assumed", "You hold the role now."),
    ("renounced", "The role is free again."),
    ("severity", "Severity changed."),
    ("state", "State changed."),
    ("declared", "Incident declared."),
    ("requested", "Requested. The gateways take it now; the state below follows."),
    ("proposed", "Proposed. It waits for somebody entitled to approve it."),
    ("approved", "Approved and requested."),
    ("rejected", "Proposal rejected."),
    ("lifting", "Lifting. It counts as lifted once a probe passes again."),
    ("mode", "Rule mode changed. The gateways take it with the next epoch."),
    ("brought", "Model stored. What the gate says stands with it."),
    ("trial", "The gateways fetch the model and try it. Its counts follow within seconds."),
    ("untried", "The trial is over."),
    ("asked", "Asked. Somebody else must approve it."),
    ("released", "Approved. The gateways judge with it from the next epoch on."),
    ("declined", "Release rejected. The model stays in shadow."),
    ("rolled_back", "Rolled back. The gateways take it with the next epoch."),
    ("application", "Saved. The gateways take it with the next epoch."),
    ("labelled", "Noted. It counts for the rule's precision."),
    ("unlabelled", "Label taken away."),
    ("account", "Account saved."),
    ("saved", "Saved."),
    ("revoked", "Key revoked. The gateways take it with the next epoch."),
    ("snapshot", "Evidence preserved."),
    ("verified", "Checked: every stored hash matches its bytes."),
];

impl Toast {
    /// The message behind a code; an unknown code is no message.
    pub fn done(code: &str) -> Option<Self> {
        let (_, text) = DONE.iter().find(|(known, _)| *known == code)?;
        Some(Self { tone: "ok", icon: "ok", text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posture_never_claims_more_than_was_verified() {
        for (in_force, verified, failed, tone) in
            [(0, 0, 0, "quiet"), (3, 3, 0, "ok"), (3, 2, 0, "wait"), (3, 2, 1, "bad")]
        {
            let tally = Tally { in_force, verified, failed, ..Tally::default() };
            assert_eq!(Posture::of(&tally).tone, tone);
        }
    }

    #[test]
    fn access_rises_with_the_role() {
        let can = |role| {
            let viewer = Viewer::new("on-call", role);
            (viewer.can_respond, viewer.can_approve, viewer.can_admin)
        };
        assert_eq!(can("viewer"), (false, false, false));
        assert_eq!(can("responder"), (true, false, false));
        assert_eq!(can("approver"), (true, true, false));
        assert_eq!(can("admin"), (true, true, true));
        assert_eq!(can("nobody"), (false, false, false));
    }
}
