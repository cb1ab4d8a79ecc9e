//! Withdraws a measure. It stays `lifting` until probes pass again.

use quell_domain::{AccessRole, MeasureId};
use quell_response::MeasureEvent;

use super::{MeasureReceipt, advance, load};
use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;

impl Control {
    /// Lifts a measure in force.
    pub async fn lift_measure(
        &self,
        access: &Access,
        id: MeasureId,
        reason: &str,
    ) -> Result<MeasureReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut measure = load(&mut unit, id).await?;
        if measure.effect.level() == 4 {
            access.require(AccessRole::Approver)?;
        }
        measure.detail = Some(reason);
        let epoch = unit.epoch().await?;
        let event = MeasureEvent::Lift { epoch };
        let measure = advance(&mut unit, &measure, &event, &access.actor).await?;
        let committed = unit.commit().await?;
        Ok(MeasureReceipt { measure, sequence: committed.sequence, epoch: committed.epoch })
    }
}
