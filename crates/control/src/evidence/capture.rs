//! Copies what an incident rests on: the interactions involved, their sessions' whole history, the
//! configuration, the system prompts, the rules and the models of that time.
//!
//! Bytes first, then rows and event in one transaction: a crash in between leaves bytes that
//! nothing refers to, and the next run finds them there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use quell_domain::interaction::Role;
use quell_domain::{Actor, EvidenceId, IncidentId, Interaction, InteractionId};
use quell_evidence::BlobStore;
use quell_lake::{Order, gateways, log_dir, scan};
use quell_store::{EvidenceItem, IncidentInteraction, PageRequest, Read};
use serde_json::json;

use super::{Captured, all_items, manifest};
use crate::handle::Control;
use crate::incidents;
use crate::interactions::parse_record;
use crate::refused::Refused;
use crate::unit::Unit;

/// Records of the logs looked at for sessions' history, newest first.
const SCANNED_MAX: usize = 200_000;
/// Interactions of one capture.
const INTERACTIONS_MAX: usize = 5_000;

/// Bytes to be preserved.
struct Piece {
    name: String,
    bytes: Vec<u8>,
    media_type: &'static str,
    source: String,
}

impl Control {
    /// Captures for `incident`; idempotent.
    pub(crate) async fn capture(
        &self,
        incident: IncidentId,
        actor: &Actor,
    ) -> Result<Captured, Refused> {
        let mut read = self.read().await?;
        let record = incidents::load(&mut read, incident).await?;
        let links = links(&mut read, incident).await?;
        let mut pieces = self.configuration(&mut read, &record.application).await?;
        drop(read);
        let lakes = self.options().lake_dirs.clone();
        let collect = move || exchanges(&lakes, &links);
        let found = tokio::task::spawn_blocking(collect).await.map_err(Refused::files)??;
        pieces.extend(prompts_and_models(&found));
        pieces.extend(found.into_values());

        let blobs = Arc::clone(self.blobs());
        let keep = move || keep(blobs.as_ref(), incident, pieces);
        let kept = tokio::task::spawn_blocking(keep).await.map_err(Refused::files)??;
        let mut unit = self.unit(actor).await?;
        let new = store_new(&mut unit, incident, actor, kept).await?;
        let manifest = manifest(&mut unit, incident).await?;
        let manifest_sha256 = manifest.sha256().map_err(Refused::files)?.to_string();
        let total = manifest.items().len();
        if new > 0 {
            let data = json!({"new": new, "total": total, "manifest_sha256": manifest_sha256});
            unit.event(Some(incident), "evidence.captured", data);
            unit.commit().await?;
        }
        Ok(Captured { new, total, manifest_sha256 })
    }

    /// What was configured: the snapshot, the application and the rules' texts.
    async fn configuration(
        &self,
        read: &mut Read,
        application: &str,
    ) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Vec::new();
        let json_piece = |name: String, source: String, value: &serde_json::Value| Piece {
            name,
            bytes: serde_json::to_vec_pretty(value).unwrap_or_default(),
            media_type: "application/json",
            source,
        };
        if let Some(snapshot) = crate::snapshot::compile(read).await? {
            let source = format!("snapshot:{}", snapshot.epoch);
            let name = format!("configuration/snapshot-{}.json", snapshot.epoch);
            pieces.push(json_piece(name, source, &json!(snapshot)));
        }
        if let Some(row) = read.application(application).await? {
            let source = format!("application:{application}:{}", row.version);
            let name = format!("configuration/application-{}.json", row.version);
            pieces.push(json_piece(name, source, &json!(row.value)));
        }
        let rules = self.rule_book().current(read).await?;
        let mut files = quell_detection::content::embedded();
        let overrides = crate::rules::effective_content(read).await?;
        files.retain(|file| !overrides.iter().any(|over| over.path == file.path));
        files.extend(overrides);
        let digest: String = rules.digest().chars().take(16).collect();
        let value = json!({"digest": rules.digest(), "files": files});
        let source = format!("rules:{}", rules.digest());
        pieces.push(json_piece(format!("rules/{digest}.json"), source, &value));
        Ok(pieces)
    }
}

/// Stores a row for every piece that was not captured before. Gives how many there were.
async fn store_new(
    unit: &mut Unit<'_>,
    incident: IncidentId,
    actor: &Actor,
    kept: Vec<(Piece, String)>,
) -> Result<usize, Refused> {
    let now = unit.now();
    let stored: BTreeSet<(String, String)> =
        all_items(unit, incident).await?.into_iter().map(|item| (item.name, item.sha256)).collect();
    let mut names: BTreeSet<String> = stored.iter().map(|(name, _)| name.clone()).collect();
    let mut new = 0;
    for (piece, sha256) in kept {
        // Other bytes under the same name were stored under a name of their own.
        let captured = |(name, known): &(String, String)| {
            *known == sha256 && name.starts_with(stem(&piece.name))
        };
        if stored.iter().any(captured) {
            continue;
        }
        let name = free_name(&mut names, &piece.name, &sha256);
        let item = EvidenceItem {
            id: EvidenceId::new(unit.ids().as_ref()),
            incident,
            sha256,
            size: piece.bytes.len() as u64,
            media_type: piece.media_type.to_owned(),
            name,
            source: piece.source,
            collected_at: now,
            actor: actor.clone(),
        };
        unit.insert_evidence_item(&item).await?;
        new += 1;
    }
    Ok(new)
}

async fn links(read: &mut Read, incident: IncidentId) -> Result<Vec<IncidentInteraction>, Refused> {
    let mut links = Vec::new();
    let mut request = PageRequest::first(500);
    loop {
        let page = read.incident_interactions(incident, &request).await?;
        links.extend(page.items);
        match page.next {
            Some(cursor) if links.len() < INTERACTIONS_MAX => request.cursor = Some(cursor),
            _ => return Ok(links),
        }
    }
}

/// The involved exchanges, and every other exchange of their sessions, as they were logged.
fn exchanges(
    lakes: &[PathBuf],
    links: &[IncidentInteraction],
) -> Result<BTreeMap<InteractionId, Piece>, Refused> {
    let wanted: BTreeSet<InteractionId> = links.iter().map(|link| link.interaction).collect();
    let sessions: BTreeSet<&str> = links
        .iter()
        .filter_map(|link| link.principal.session.as_ref())
        .map(|session| session.value.as_str())
        .collect();
    let mut found = BTreeMap::new();
    let mut left = SCANNED_MAX;
    for lake in lakes {
        for gateway in gateways(lake).map_err(Refused::files)? {
            scan(&log_dir(lake, &gateway), Order::NewestFirst, |record| {
                left = left.saturating_sub(1);
                if left == 0 || found.len() >= INTERACTIONS_MAX {
                    return ControlFlow::Break(());
                }
                let Some(interaction) = parse_record(record) else {
                    return ControlFlow::Continue(());
                };
                let session = interaction.principal.session.as_ref();
                let involved = wanted.contains(&interaction.id);
                if involved || session.is_some_and(|s| sessions.contains(s.value.as_str())) {
                    let folder = if involved { "interactions" } else { "sessions" };
                    let piece = Piece {
                        name: format!("{folder}/{}.json", interaction.id),
                        bytes: record.payload.clone(),
                        media_type: "application/json",
                        source: format!("lake:{gateway}:{}", record.sequence),
                    };
                    found.insert(interaction.id, piece);
                }
                ControlFlow::Continue(())
            })
            .map_err(Refused::files)?;
        }
    }
    Ok(found)
}

/// System prompts by digest, and which models were asked and served.
fn prompts_and_models(found: &BTreeMap<InteractionId, Piece>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut prompts: BTreeMap<String, String> = BTreeMap::new();
    let mut models: BTreeSet<(String, String, String)> = BTreeSet::new();
    for piece in found.values() {
        let Ok(interaction) = serde_json::from_slice::<Interaction>(&piece.bytes) else { continue };
        let system: Vec<&str> = interaction
            .request
            .iter()
            .filter(|field| field.role == Role::System && !field.text.is_empty())
            .map(|field| field.text.as_str())
            .collect();
        if !system.is_empty() {
            let digest = interaction.digests.system_prompt.clone().unwrap_or_else(|| {
                quell_domain::canonical::sha256_hex(system.join("\n").as_bytes())
            });
            prompts.entry(digest).or_insert_with(|| system.join("\n"));
        }
        models.insert((
            interaction.model_asked.unwrap_or_default(),
            interaction.model_served.unwrap_or_default(),
            interaction.provider_fingerprint.unwrap_or_default(),
        ));
    }
    for (digest, text) in prompts {
        let short: String = digest.chars().take(16).collect();
        pieces.push(Piece {
            name: format!("prompts/{short}.txt"),
            bytes: text.into_bytes(),
            media_type: "text/plain; charset=utf-8",
            source: format!("system_prompt:{digest}"),
        });
    }
    if !models.is_empty() {
        let list: Vec<_> = models
            .into_iter()
            .map(|(asked, served, print)| json!({"asked": asked, "served": served, "fingerprint": print}))
            .collect();
        pieces.push(Piece {
            name: "models/models.json".into(),
            bytes: serde_json::to_vec_pretty(&list).unwrap_or_default(),
            media_type: "application/json",
            source: "interactions".into(),
        });
    }
    pieces
}

fn keep(
    blobs: &dyn BlobStore,
    incident: IncidentId,
    pieces: Vec<Piece>,
) -> Result<Vec<(Piece, String)>, Refused> {
    pieces
        .into_iter()
        .map(|piece| {
            let digest = blobs.put(incident, &piece.bytes).map_err(Refused::files)?;
            Ok((piece, digest.to_string()))
        })
        .collect()
}

/// The name without its ending.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A name that no item has: other bytes under a taken name get their digest into it.
fn free_name(names: &mut BTreeSet<String>, name: &str, sha256: &str) -> String {
    let free = if names.contains(name) {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let short: String = sha256.chars().take(12).collect();
        format!("{stem}-{short}.{ending}")
    } else {
        name.to_owned()
    };
    names.insert(free.clone());
    free
}
