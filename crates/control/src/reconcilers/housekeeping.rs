//! Intended: nothing temporary is kept longer than it is needed. Period: ten minutes.
//!
//! | what | kept |
//! |---|---|
//! | sessions | until they expire |
//! | remembered replies | 24 hours |
//! | outbox rows that are done | 30 days |
//! | principals seen | 25 hours |
//! | behaviour over several requests | 7 days |

use jiff::SignedDuration;

use crate::handle::Control;
use crate::refused::Refused;

impl Control {
    /// Forgets what is no longer needed.
    pub async fn reconcile_housekeeping(&self) -> Result<(), Refused> {
        let mut tx = self.store().begin().await?;
        let now = tx.now();
        let before = |hours: i64| now - SignedDuration::from_hours(hours);
        tx.purge_sessions(now).await?;
        tx.purge_replies(before(24)).await?;
        tx.purge_outbox(before(30 * 24)).await?;
        tx.purge_principals(before(25)).await?;
        tx.forget_behaviour(before(7 * 24)).await?;
        tx.commit().await?;
        Ok(())
    }
}
