//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Html;
use quell_control::Access;
use quell_control::accounts::{SessionCookie, SignedIn};
use quell_domain::canonical::sha256_hex;
use quell_domain::{MeasureState, Severity};
use quell_store::{IncidentFilter, MeasureFilter, PageRequest};

use crate::Console;
use crate::assets;
use crate::http::{Failure, cookies};
use crate::moment::Moment;
use crate::render::{Page, page, region};
use crate::shell::{Posture, Section, Shell, Tally, Theme, Toast, Viewer, nav};

/// Most rows the counts in the frame look at.
const TALLY_MAX: u32 = 500;

/// Whoever asks, signed in or not.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    theme: Theme,
    csrf: String,
    signed: Option<SignedIn>,
}

impl Visitor {
    /// Whoever sent `headers`.
    pub(crate) async fn of(console: &Console, headers: &HeaderMap) -> Self {
        let theme = Theme::parse(cookies::get(headers, cookies::THEME).unwrap_or_default());
        let session = cookies::get(headers, cookies::SESSION);
        let signed = match session {
            Some(text) => console.control.session(&SessionCookie(text.into())).await.ok(),
            None => None,
        };
        let csrf = match &signed {
            Some(signed) => signed.csrf.clone(),
            None => cookies::get(headers, cookies::VISIT).map(visit_token).unwrap_or_default(),
        };
        Self { theme, csrf, signed }
    }

    /// Whether somebody is signed in.
    pub(crate) const fn signed_in(&self) -> bool {
        self.signed.is_some()
    }

    /// The frame around a page.
    pub(crate) async fn shell(
        &self,
        console: &Console,
        section: Option<Section>,
        path: &str,
    ) -> Shell {
        let control = &console.control;
        let now = control.now();
        let (viewer, tally) = match &self.signed {
            Some(signed) => (
                Viewer::new(&signed.account.name, signed.account.role.as_str()),
                tally(console, &signed.access).await,
            ),
            None => (Viewer::default(), Tally::default()),
        };
        Shell {
            viewer,
            csrf: self.csrf.clone(),
            theme: self.theme,
            path: path.into(),
            nav: nav(section, &tally),
            posture: Posture::of(&tally),
            now: Moment::new(now, now),
            seq: *control.feed_head().borrow(),
            toast: None,
            assets: assets::paths("/assets/"),
        }
    }
}

/// The form token of a visit before sign-in.
pub(crate) fn visit_token(cookie: &str) -> String {
    sha256_hex(format!("quell-console-form:{cookie}").as_bytes())
}

/// The counts in the frame. If they cannot be read, the page itself will say so.
async fn tally(console: &Console, access: &Access) -> Tally {
    let page = PageRequest::first(TALLY_MAX);
    let open = IncidentFilter { open: Some(true), ..IncidentFilter::default() };
    let current = MeasureFilter { current: Some(true), ..MeasureFilter::default() };
    let incidents = console.control.incidents(access, &open, &page).await;
    let measures = console.control.measures(access, &current, &page).await;
    let incidents = incidents.map(|page| page.items).unwrap_or_default();
    let measures = measures.map(|page| page.items).unwrap_or_default();
    let count = |wanted: &dyn Fn(MeasureState) -> bool| {
        measures.iter().filter(|measure| wanted(measure.state)).count() as u64
    };
    Tally {
        open_incidents: incidents.len() as u64,
        critical_incidents: incidents
            .iter()
            .filter(|incident| incident.severity == Severity::Critical)
            .count() as u64,
        in_force: count(&MeasureState::in_force),
        verified: count(&|state| state == MeasureState::Verified),
        failed: count(&|state| state == MeasureState::Failed),
        proposed: count(&|s| matches!(s, MeasureState::Proposed | MeasureState::Approved)),
    }
}

/// A signed-in person, and the page they ask for. Anybody else is sent to the door.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) console: Console,
    pub(crate) visitor: Visitor,
    pub(crate) access: Access,
    pub(crate) viewer: Viewer,
    pub(crate) csrf: String,
    path: String,
    query: String,
}

impl FromRequestParts<Console> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &Console) -> Result<Self, Failure> {
        let visitor = Visitor::of(state, &parts.headers).await;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let Some(signed) = visitor.signed.clone() else { return Err(Failure::SignIn(path)) };
        Ok(Self {
            console: state.clone(),
            viewer: Viewer::new(&signed.account.name, signed.account.role.as_str()),
            access: signed.access,
            csrf: signed.csrf,
            visitor,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            path,
        })
    }
}

impl Signed {
    /// The page, or the regions of it that `?region=` names.
    pub(crate) async fn page<P: Page>(
        &self,
        section: Section,
        content: &P,
    ) -> Result<Html<String>, Failure> {
        let mut shell = self.visitor.shell(&self.console, Some(section), &self.path).await;
        shell.toast = self.parameter("done").and_then(Toast::done);
        let Some(wanted) = self.parameter("region") else {
            return Ok(Html(page(&shell, content)?));
        };
        let mut html = String::new();
        for name in P::REGIONS.iter().filter(|name| wanted.split(',').any(|w| w == **name)) {
            html.push_str(&region(&shell, content, name)?);
        }
        Ok(Html(html))
    }

    /// A parameter of the address line, if it is plain.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}
