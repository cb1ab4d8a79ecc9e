//! The classifier's own life: brought, gated, tried in shadow, released by two people, rolled back.
//!
//! Feedback is a way to poison a model, so no single person puts one into force: whoever brings it
//! or asks for its release does not approve it. Rolling back goes to what was released before, so
//! one person may do it.

mod gate;
mod release;

pub(crate) use release::decided;

use quell_detection::classifier::Classifier;
use quell_domain::AccessRole;
use quell_domain::canonical::sha256_hex;
use quell_domain::snapshot::ShadowCounts;
use quell_store::{Approval, ModelRecord, ModelState, Read};
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;

/// Largest model, bytes.
pub const MODEL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Models kept; the oldest have to be deleted by an operator of the database, none is by itself.
const MODELS_MAX: usize = 100;
/// Requests a candidate has to judge in shadow before its release may be asked for.
pub const SHADOW_JUDGED_MIN: u64 = 100;

/// Every model, and which is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Models {
    /// SHA-256 of the one that ships.
    pub shipped: String,
    /// SHA-256 of the one in force.
    pub current: String,
    /// Those that people brought, newest first.
    pub brought: Vec<ModelView>,
}

/// A model that somebody brought.
#[derive(Debug, Clone, Serialize)]
pub struct ModelView {
    /// What is known about it.
    pub record: ModelRecord,
    /// What it would have flagged in shadow, over all gateways.
    pub shadow: Option<ShadowCounts>,
    /// The request for its release, while it waits for somebody's decision.
    pub request: Option<Approval>,
}

impl Control {
    /// Every model, and which is in force.
    pub async fn models(&self, access: &Access) -> Result<Models, Refused> {
        access.require(AccessRole::Viewer)?;
        let shipped = Classifier::embedded().map_err(Refused::files)?.sha256().to_owned();
        let mut read = self.read().await?;
        let current = current(&mut read).await?.map_or_else(|| shipped.clone(), |m| m.sha256);
        let mut brought = Vec::new();
        for record in read.models().await? {
            let shadow = shadow_counts(&mut read, &record).await?;
            let request = match record.approval {
                Some(id) => read.approval(id).await?.filter(|asked| asked.decision.is_none()),
                None => None,
            };
            brought.push(ModelView { record, shadow, request });
        }
        Ok(Models { shipped, current, brought })
    }

    /// The bytes of a model, for gateways.
    pub async fn model_bytes(&self, sha256: &str) -> Result<Vec<u8>, Refused> {
        let bytes = self.read().await?.model_bytes(sha256).await?;
        bytes.ok_or_else(|| Refused::not_found("model", sha256))
    }

    /// Takes a candidate in: loads it, runs the gate against the model in force, stores both.
    pub async fn propose_model(
        &self,
        access: &Access,
        bytes: Vec<u8>,
        reason: &str,
    ) -> Result<ModelRecord, Refused> {
        access.require(AccessRole::Admin)?;
        let reason = text_of("a reason", reason)?;
        if bytes.len() > MODEL_BYTES_MAX {
            let message = format!("a model has at most {MODEL_BYTES_MAX} bytes");
            return Err(Refused::invalid("model.size", message));
        }
        let sha256 = sha256_hex(&bytes);
        let candidate = load(&bytes, &sha256)?;
        let name = candidate.model().description.name.chars().take(200).collect();
        let held = self.classifier().await?;
        if held.sha256() == sha256 {
            return Err(Refused::state("model.in_force", "this model is in force already"));
        }
        let gate = self.gate(held, candidate).await?;
        let mut unit = self.unit(&access.actor).await?;
        if unit.models().await?.len() >= MODELS_MAX {
            let message = format!("{MODELS_MAX} models are stored; delete some in the database");
            return Err(Refused::state("model.too_many", message));
        }
        let record = ModelRecord {
            size: bytes.len() as u64,
            state: ModelState::Candidate,
            proposed_by: access.actor.clone(),
            proposed_at: unit.now(),
            shadow_since: None,
            shadow_by: None,
            approval: None,
            released_by: None,
            released_at: None,
            replaces: None,
            ended: None,
            version: 1,
            sha256,
            name,
            reason,
            gate,
        };
        if !unit.insert_model(&record, &bytes).await? {
            return Err(Refused::state("model.known", "this model was brought before"));
        }
        let data = json!({
            "sha256": record.sha256, "name": record.name, "reason": record.reason,
            "gate_passed": record.gate.passed,
        });
        unit.event(None, "model.proposed", data);
        unit.commit().await?;
        Ok(record)
    }

    /// Lets gateways try a candidate beside the model in force. Another in shadow goes back.
    pub async fn shadow_model(
        &self,
        access: &Access,
        sha256: &str,
    ) -> Result<ModelRecord, Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut record = stored(&mut unit, sha256).await?;
        if record.state != ModelState::Candidate {
            let message = format!("the model is {}, not a candidate", record.state.as_str());
            return Err(Refused::state("model.state", message));
        }
        if !record.gate.passed {
            let message = format!("the gate refused it: {}", record.gate.reasons.join("; "));
            return Err(Refused::state("model.gate", message));
        }
        if let Some(mut other) = unit.model_in(ModelState::Shadow).await? {
            end_trial(&mut other);
            unit.update_model(&mut other).await?;
        }
        (record.state, record.shadow_since) = (ModelState::Shadow, Some(unit.now()));
        record.shadow_by = Some(access.actor.clone());
        unit.update_model(&mut record).await?;
        let epoch = unit.epoch().await?;
        unit.event(None, "model.shadowed", json!({"sha256": sha256, "epoch": epoch}));
        unit.commit().await?;
        Ok(record)
    }

    /// Ends the trial of the model in shadow.
    pub async fn unshadow_model(&self, access: &Access, sha256: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut record = stored(&mut unit, sha256).await?;
        if record.state != ModelState::Shadow {
            return Err(Refused::state("model.state", "the model is not in shadow"));
        }
        end_trial(&mut record);
        unit.update_model(&mut record).await?;
        let epoch = unit.epoch().await?;
        unit.event(None, "model.unshadowed", json!({"sha256": sha256, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }

    /// The classifier in force.
    pub(crate) async fn classifier(&self) -> Result<Classifier, Refused> {
        let mut read = self.read().await?;
        let Some(record) = current(&mut read).await? else {
            return Classifier::embedded().map_err(Refused::files);
        };
        let bytes = read.model_bytes(&record.sha256).await?.unwrap_or_default();
        load(&bytes, &record.sha256)
    }
}

/// Makes a model in shadow a candidate again; a request for its release has gone with the trial.
fn end_trial(record: &mut ModelRecord) {
    record.state = ModelState::Candidate;
    (record.shadow_since, record.shadow_by, record.approval) = (None, None, None);
}

fn load(bytes: &[u8], sha256: &str) -> Result<Classifier, Refused> {
    Classifier::load(bytes, sha256)
        .map_err(|error| Refused::invalid("model.unreadable", error.to_string()))
}

async fn stored(read: &mut Read, sha256: &str) -> Result<ModelRecord, Refused> {
    read.model(sha256).await?.ok_or_else(|| Refused::not_found("model", sha256))
}

/// The model in force, if it is not the one that ships.
async fn current(read: &mut Read) -> Result<Option<ModelRecord>, Refused> {
    Ok(read.model_in(ModelState::Released).await?)
}

/// What gateways last reported about a model in shadow, added up.
async fn shadow_counts(
    read: &mut Read,
    record: &ModelRecord,
) -> Result<Option<ShadowCounts>, Refused> {
    if record.state != ModelState::Shadow {
        return Ok(None);
    }
    let mut all = ShadowCounts { sha256: record.sha256.clone(), ..ShadowCounts::default() };
    for gateway in read.gateways().await? {
        let Some(one) = gateway.report.shadow.filter(|one| one.sha256 == record.sha256) else {
            continue;
        };
        all.judged += one.judged;
        all.flagged_now += one.flagged_now;
        all.flagged_then += one.flagged_then;
        all.flagged_both += one.flagged_both;
        all.skipped += one.skipped;
    }
    Ok(Some(all))
}
