//! Evidence: captured when an incident opens and before anything is removed, listed, exported.

mod capture;

use std::io::Write;
use std::path::Path;

use quell_domain::{AccessRole, EvidenceId, IncidentId};
use quell_evidence::{
    CustodyAction, CustodyEvent, Item, Manifest, ManifestV1, Sha256Digest, write_dir, write_tar,
};
use quell_store::{EvidenceItem, Page, PageRequest, Read};
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::incidents::{self, text_of};
use crate::refused::Refused;

/// Most items of one incident.
pub const ITEMS_MAX: usize = 20_000;

/// What a capture preserved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Captured {
    /// Items new in this capture.
    pub new: usize,
    /// Items of the incident altogether.
    pub total: usize,
    /// SHA-256 of the manifest over all of them.
    pub manifest_sha256: String,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Items in the bundle.
    pub items: usize,
    /// SHA-256 of its manifest; whoever keeps it can show that nothing was changed since.
    pub manifest_sha256: String,
}

impl Control {
    /// Captures what there is now. Captured before: not again.
    pub async fn capture_evidence(
        &self,
        access: &Access,
        incident: IncidentId,
    ) -> Result<Captured, Refused> {
        access.require(AccessRole::Responder)?;
        self.capture(incident, &access.actor).await
    }

    /// A page of evidence, oldest first; of one incident if given.
    pub async fn evidence(
        &self,
        access: &Access,
        incident: Option<IncidentId>,
        page: &PageRequest,
    ) -> Result<Page<EvidenceItem>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.evidence_items(incident, page).await?)
    }

    /// The bytes of an item, for a reason. They may hold prompt text.
    pub async fn read_evidence(
        &self,
        access: &Access,
        id: EvidenceId,
        reason: &str,
    ) -> Result<(EvidenceItem, Vec<u8>), Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let found = unit.evidence_item(id).await?;
        let item = found.ok_or_else(|| Refused::not_found("evidence item", id))?;
        let data = json!({"evidence": id, "name": item.name, "reason": reason});
        unit.event(Some(item.incident), "evidence.read", data);
        let bytes = self.blob(item.incident, &item.sha256).await?;
        unit.commit().await?;
        Ok((item, bytes))
    }

    /// Writes an incident's bundle as a tar.
    pub async fn export_evidence_tar(
        &self,
        access: &Access,
        incident: IncidentId,
        reason: &str,
        out: impl Write + Send + 'static,
    ) -> Result<Exported, Refused> {
        let manifest = self.export_manifest(access, incident, reason).await?;
        let blobs = std::sync::Arc::clone(self.blobs());
        let items = manifest.items().len();
        let write = move || write_tar(out, &manifest, blobs.as_ref());
        let digest = tokio::task::spawn_blocking(write).await.map_err(Refused::files)?;
        let manifest_sha256 = digest.map_err(Refused::files)?.to_string();
        Ok(Exported { items, manifest_sha256 })
    }

    /// Writes an incident's bundle as a folder, which must be new or empty.
    pub async fn export_evidence_dir(
        &self,
        access: &Access,
        incident: IncidentId,
        reason: &str,
        folder: &Path,
    ) -> Result<Exported, Refused> {
        let manifest = self.export_manifest(access, incident, reason).await?;
        let blobs = std::sync::Arc::clone(self.blobs());
        let (items, folder) = (manifest.items().len(), folder.to_owned());
        let write = move || write_dir(&folder, &manifest, blobs.as_ref());
        let digest = tokio::task::spawn_blocking(write).await.map_err(Refused::files)?;
        let manifest_sha256 = digest.map_err(Refused::files)?.to_string();
        Ok(Exported { items, manifest_sha256 })
    }

    /// Checks that every item of an incident is there and unaltered. Gives what is wrong.
    pub async fn verify_evidence(
        &self,
        access: &Access,
        incident: IncidentId,
    ) -> Result<Vec<String>, Refused> {
        access.require(AccessRole::Viewer)?;
        let items = all_items(&mut self.read().await?, incident).await?;
        let mut wrong = Vec::new();
        for item in items {
            match self.blob(incident, &item.sha256).await {
                Ok(bytes) if bytes.len() as u64 == item.size => {}
                Ok(_) => wrong.push(format!("{}: another size than recorded", item.name)),
                Err(error) => wrong.push(format!("{}: {error}", item.name)),
            }
        }
        Ok(wrong)
    }

    /// The manifest of an export, whose event is stored first.
    async fn export_manifest(
        &self,
        access: &Access,
        incident: IncidentId,
        reason: &str,
    ) -> Result<Manifest, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut manifest = manifest(&mut unit, incident).await?;
        let Manifest::V1(v1) = &mut manifest;
        v1.created_at = unit.now();
        v1.custody.push(CustodyEvent {
            at: unit.now(),
            actor: access.actor.clone(),
            action: CustodyAction::Exported,
            item: None,
            reason: reason.clone(),
        });
        let digest = manifest.sha256().map_err(Refused::files)?;
        let data = json!({
            "manifest_sha256": digest.to_string(), "items": manifest.items().len(),
            "reason": reason,
        });
        unit.event(Some(incident), "evidence.exported", data);
        unit.commit().await?;
        Ok(manifest)
    }

    async fn blob(&self, incident: IncidentId, sha256: &str) -> Result<Vec<u8>, Refused> {
        let digest: Sha256Digest = sha256.parse().map_err(Refused::files)?;
        let blobs = std::sync::Arc::clone(self.blobs());
        let get = move || blobs.get(incident, digest);
        tokio::task::spawn_blocking(get).await.map_err(Refused::files)?.map_err(Refused::files)
    }
}

/// Everything preserved for an incident, oldest first.
pub(crate) async fn all_items(
    read: &mut Read,
    incident: IncidentId,
) -> Result<Vec<EvidenceItem>, Refused> {
    let mut items = Vec::new();
    let mut request = PageRequest::first(500);
    loop {
        let page = read.evidence_items(Some(incident), &request).await?;
        items.extend(page.items);
        match page.next {
            Some(cursor) if items.len() < ITEMS_MAX => request.cursor = Some(cursor),
            _ => return Ok(items),
        }
    }
}

/// The manifest over everything preserved for an incident.
pub(crate) async fn manifest(read: &mut Read, incident: IncidentId) -> Result<Manifest, Refused> {
    let record = incidents::load(read, incident).await?;
    let stored = all_items(read, incident).await?;
    let mut custody = Vec::new();
    let mut items = Vec::new();
    let mut created_at = record.opened_at;
    for item in stored {
        created_at = created_at.max(item.collected_at);
        custody.push(CustodyEvent {
            at: item.collected_at,
            actor: item.actor.clone(),
            action: CustodyAction::Collected,
            item: Some(item.name.clone()),
            reason: format!("captured for {}", record.number),
        });
        let named = item.name.split('/').next_back().and_then(|name| name.strip_suffix(".json"));
        items.push(Item {
            interactions: named.and_then(|name| name.parse().ok()).into_iter().collect(),
            name: item.name,
            sha256: item.sha256.parse().map_err(Refused::files)?,
            size: item.size,
            media_type: item.media_type,
            source: item.source,
            collected_at: item.collected_at,
            actor: item.actor,
        });
    }
    let number = record.number;
    Ok(Manifest::V1(ManifestV1 { incident, number, created_at, items, custody }))
}
