//! Recorded exchanges. Metadata is for everybody who may see incidents; text needs a reason, and
//! reading it is an event.

mod find;

pub use find::InteractionFilter;
pub(crate) use find::parse as parse_record;

use jiff::Timestamp;
use quell_domain::interaction::{Cut, Endpoint, Outcome};
use quell_domain::{AccessRole, IncidentId, Interaction, InteractionId, Principal, Severity};
use quell_store::{IncidentInteraction, Page, PageRequest};
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;

/// An exchange without its text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InteractionSummary {
    /// Identity.
    pub id: InteractionId,
    /// The gateway whose log holds it.
    pub gateway: String,
    /// Its number in that log.
    pub sequence: u64,
    /// When it began.
    pub at: Timestamp,
    /// The application.
    pub application: String,
    /// The surface.
    pub endpoint: Endpoint,
    /// Whether it was a stream.
    pub stream: bool,
    /// Who.
    pub principal: Principal,
    /// The model asked for.
    pub model: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// The stream's end, if it was cut.
    pub cut: Option<Cut>,
    /// Rules that matched, by title.
    pub findings: Vec<String>,
    /// The worst of them.
    pub severity: Option<Severity>,
    /// Characters of request text.
    pub request_chars: u64,
    /// Characters of response text.
    pub response_chars: u64,
}

/// An exchange with everything recorded about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InteractionText {
    /// Where it lies.
    pub summary: InteractionSummary,
    /// The record.
    pub interaction: Interaction,
    /// The incidents it belongs to.
    pub incidents: Vec<IncidentId>,
    /// Global sequence of the event that says it was read.
    pub sequence: Option<i64>,
}

impl InteractionSummary {
    pub(crate) fn new(gateway: &str, sequence: u64, interaction: &Interaction) -> Self {
        Self {
            id: interaction.id,
            gateway: gateway.to_owned(),
            sequence,
            at: interaction.started_at,
            application: interaction.application.clone(),
            endpoint: interaction.endpoint,
            stream: interaction.stream,
            principal: interaction.principal.clone(),
            model: interaction.model_asked.clone(),
            status: interaction.status,
            outcome: interaction.outcome,
            cut: interaction.cut.clone(),
            findings: interaction.signals.iter().map(|signal| signal.title.clone()).collect(),
            severity: interaction.signals.iter().map(|signal| signal.severity).max(),
            request_chars: interaction.request_chars,
            response_chars: interaction.response_chars,
        }
    }
}

impl Control {
    /// The newest exchanges that fit `filter`, without text.
    pub async fn interactions(
        &self,
        access: &Access,
        filter: InteractionFilter,
    ) -> Result<Vec<InteractionSummary>, Refused> {
        access.require(AccessRole::Viewer)?;
        if filter.text.is_some() {
            // What matches says something about the text, so it is as good as reading it.
            access.require(AccessRole::Responder)?;
            let mut unit = self.unit(&access.actor).await?;
            unit.event(None, "interaction.searched", json!({"application": filter.application}));
            unit.commit().await?;
        }
        self.find_interactions(filter).await
    }

    /// A page of an incident's exchanges, oldest first.
    pub async fn incident_interactions(
        &self,
        access: &Access,
        incident: IncidentId,
        page: &PageRequest,
    ) -> Result<Page<IncidentInteraction>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.incident_interactions(incident, page).await?)
    }

    /// One exchange without its text.
    pub async fn interaction(
        &self,
        access: &Access,
        id: InteractionId,
    ) -> Result<InteractionSummary, Refused> {
        access.require(AccessRole::Viewer)?;
        let (gateway, sequence, interaction) = self.locate(id).await?;
        Ok(InteractionSummary::new(&gateway, sequence, &interaction))
    }

    /// One exchange with its text, for a reason. The event is stored before the text is given.
    pub async fn read_interaction(
        &self,
        access: &Access,
        id: InteractionId,
        reason: &str,
    ) -> Result<InteractionText, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let (gateway, sequence, interaction) = self.locate(id).await?;
        let mut unit = self.unit(&access.actor).await?;
        let links = unit.incidents_of_interaction(id).await?;
        let incidents: Vec<IncidentId> = links.iter().map(|link| link.incident).collect();
        let data =
            json!({"interaction": id, "application": interaction.application, "reason": reason});
        unit.event(incidents.first().copied(), "interaction.read", data);
        let committed = unit.commit().await?;
        let summary = InteractionSummary::new(&gateway, sequence, &interaction);
        Ok(InteractionText { summary, interaction, incidents, sequence: committed.sequence })
    }
}
