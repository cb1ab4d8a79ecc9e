//! Measures as they are read.

use std::collections::BTreeMap;

use quell_domain::snapshot::ProbeResult;
use quell_domain::{AccessRole, Measure, MeasureId};
use quell_store::{MeasureFilter, Page, PageRequest};

use super::load;
use crate::access::Access;
use crate::handle::Control;
use crate::nodes;
use crate::refused::Refused;

impl Control {
    /// A page of measures, newest first.
    pub async fn measures(
        &self,
        access: &Access,
        filter: &MeasureFilter,
        page: &PageRequest,
    ) -> Result<Page<Measure>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.measures(filter, page).await?)
    }

    /// One measure, with what each gateway's last probe of it met.
    pub async fn measure(
        &self,
        access: &Access,
        id: MeasureId,
    ) -> Result<(Measure, BTreeMap<String, ProbeResult>), Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let measure = load(&mut read, id).await?;
        let probes = nodes::probed(&mut read, id).await?;
        Ok((measure, probes))
    }
}
