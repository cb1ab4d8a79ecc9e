//! Intended: every queued job is done. Observed: the outbox. Period: a second, and every commit.
//!
//! Jobs are done at least once, so each is idempotent. Notifications without a destination are
//! written to the log and counted as delivered; ledger rows wait for the ledger.

use jiff::SignedDuration;
use quell_domain::IncidentId;
use quell_store::{OutboxItem, OutboxKind};

use crate::handle::Control;
use crate::refused::Refused;

/// Most jobs at a time.
const BATCH: u32 = 20;
/// Longest pause before a failed job is tried again, seconds.
const RETRY_MAX: i64 = 600;

impl Control {
    /// Does what is due.
    pub async fn reconcile_jobs(&self) -> Result<(), Refused> {
        let now = self.now();
        let due = self.read().await?.outbox_due(OutboxKind::Job, now, BATCH).await?;
        for item in due {
            let done = self.job(&item).await;
            let mut tx = self.store().begin().await?;
            match done {
                Ok(()) => tx.outbox_done(&item.id).await?,
                Err(error) => {
                    tracing::warn!(job = %item.idempotency_key, %error, "will be retried");
                    let pause = (1_i64 << item.attempts.clamp(0, 10)).min(RETRY_MAX);
                    let retry_at = now + SignedDuration::from_secs(pause);
                    tx.outbox_failed(&item.id, &error.to_string(), retry_at).await?;
                }
            }
            tx.commit().await?;
        }
        self.tell().await
    }

    async fn job(&self, item: &OutboxItem) -> Result<(), Refused> {
        let payload = &item.payload;
        match payload["job"].as_str() {
            Some("evidence.capture") => {
                let id: Option<IncidentId> =
                    payload["incident"].as_str().and_then(|text| text.parse().ok());
                let Some(id) = id else { return Ok(()) };
                self.capture(id, &quell_domain::Actor::System).await.map(|_| ())
            }
            other => {
                tracing::error!(job = other, "a job of an unknown kind was dropped");
                Ok(())
            }
        }
    }

    async fn tell(&self) -> Result<(), Refused> {
        let due = self.read().await?.outbox_due(OutboxKind::Notify, self.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        for item in due {
            let about = item.payload["about"].as_str().unwrap_or("notice");
            let number = item.payload["number"].as_str().unwrap_or("-");
            let severity = item.payload["severity"].as_str().unwrap_or("-");
            tracing::info!(notice.about = about, incident.number = number, severity, "notice");
            tx.outbox_done(&item.id).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
