//! One batch of records, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quell_detection::{BehaviourState as Saved, Correlator, RuleSet};
use quell_domain::canonical::sha256_hex;
use quell_domain::{Actor, Principal, Signal};
use quell_store::{BehaviourRow, SignalRecord};

use super::{Ingest, KNOWN_MAX, Logged};
use crate::handle::Control;
use crate::refused::Refused;
use crate::unit::Unit;

impl Control {
    /// Everything a batch leads to, and the cursor behind it.
    pub(super) async fn ingest_batch(
        &self,
        ingest: &mut Ingest,
        gateway: &str,
        logged: &[Logged],
        last: u64,
    ) -> Result<(), Refused> {
        let rules = self.rule_book().current(&mut self.read().await?).await?;
        let mut unit = self.unit(&Actor::System).await?;
        // Another control node may have been here; then this batch is its, not ours.
        let cursor = unit.log_cursor(gateway).await?.unwrap_or(0);
        let fresh: Vec<&Logged> = logged.iter().filter(|l| l.sequence > cursor).collect();
        note_principals(&mut unit, &fresh).await?;
        let mut touched = BTreeSet::new();
        for record in fresh {
            let interaction = &record.interaction;
            let correlated = correlate(ingest, &mut unit, record, &rules).await?;
            touched.insert(interaction.application.clone());
            let mut signals = interaction.signals.clone();
            signals.extend(correlated);
            let new = store_new(&mut unit, record, &signals).await?;
            if !new.is_empty() {
                self.group(ingest, &mut unit, gateway, record, &new).await?;
            }
        }
        for application in touched {
            let engine = ingest.correlators.get_mut(&application);
            let Some((_, correlator)) = engine else { continue };
            for Saved { part, key, bytes } in correlator.take_behaviour() {
                let row = BehaviourRow { part, name: key, bytes };
                unit.put_behaviour_row(&application, &row).await?;
            }
            let state = correlator.snapshot();
            let digest = sha256_hex(&state);
            if ingest.saved.get(&application) != Some(&digest) {
                unit.put_correlator_snapshot(&application, &state).await?;
                ingest.saved.insert(application, digest);
            }
        }
        unit.put_log_cursor(gateway, last.max(cursor)).await?;
        unit.commit().await?;
        if ingest.known.len() > KNOWN_MAX {
            ingest.known.clear();
        }
        Ok(())
    }
}

/// Hands the record to its application's engine.
async fn correlate(
    ingest: &mut Ingest,
    unit: &mut Unit<'_>,
    record: &Logged,
    rules: &Arc<RuleSet>,
) -> Result<Vec<Signal>, Refused> {
    let application = &record.interaction.application;
    let usable = ingest
        .correlators
        .get(application)
        .is_some_and(|(made_with, _)| Arc::ptr_eq(made_with, rules));
    if !usable {
        let held = ingest.correlators.remove(application).map(|(_, correlator)| correlator);
        let saved = match &held {
            Some(correlator) => Some(correlator.snapshot()),
            None => unit.correlator_snapshot(application).await?,
        };
        let mut correlator = saved
            .and_then(|bytes| Correlator::restore(Arc::clone(rules), &bytes).ok())
            .unwrap_or_else(|| Correlator::new(Arc::clone(rules)));
        match held {
            Some(held) => correlator = correlator.with_behaviour_of(held),
            None => restore_behaviour(unit, application, &mut correlator).await?,
        }
        ingest.correlators.insert(application.clone(), (Arc::clone(rules), correlator));
    }
    let engine = ingest.correlators.get_mut(application);
    Ok(engine.map_or_else(Vec::new, |(_, correlator)| correlator.push(&record.interaction)))
}

/// Reads back what the watchers of behaviour kept.
async fn restore_behaviour(
    unit: &mut Unit<'_>,
    application: &str,
    correlator: &mut Correlator,
) -> Result<(), Refused> {
    let rows = unit.behaviour_rows(application).await?;
    let kept: Vec<Saved> = rows
        .into_iter()
        .map(|BehaviourRow { part, name, bytes }| Saved { part, key: name, bytes })
        .collect();
    let unreadable = correlator.restore_behaviour(&kept);
    if unreadable > 0 {
        tracing::error!(
            application,
            unreadable,
            "kept behaviour could not be read; it begins anew"
        );
    }
    Ok(())
}

/// Stores what was not stored before, and gives it.
async fn store_new(
    unit: &mut Unit<'_>,
    record: &Logged,
    signals: &[Signal],
) -> Result<Vec<Signal>, Refused> {
    let interaction = &record.interaction;
    let mut new = Vec::new();
    for signal in signals {
        let stored = SignalRecord {
            signal: signal.clone(),
            incident: None,
            application: interaction.application.clone(),
            interaction: Some(interaction.id),
            principal: interaction.principal.clone(),
            at: interaction.started_at,
        };
        if unit.insert_signal(&stored).await? {
            new.push(signal.clone());
        }
    }
    Ok(new)
}

/// Who an application saw: the denominator of the collateral cap. Who came behind a key or an
/// address is counted under a name of its own.
async fn note_principals(unit: &mut Unit<'_>, fresh: &[&Logged]) -> Result<(), Refused> {
    let mut seen: BTreeMap<(String, i64), BTreeSet<String>> = BTreeMap::new();
    for record in fresh {
        let interaction = &record.interaction;
        let who = narrowest(&interaction.principal);
        let hour = interaction.started_at.as_second() / 3_600;
        let principal = &interaction.principal;
        let shared = [
            Some(interaction.application.clone()),
            principal.key.map(|key| behind(&interaction.application, &key.to_string())),
            principal.address.as_ref().map(|a| behind(&interaction.application, a)),
        ];
        for scope in shared.into_iter().flatten() {
            seen.entry((scope, hour)).or_default().insert(who.clone());
        }
    }
    for ((scope, hour), principals) in seen {
        let at = jiff::Timestamp::from_second(hour * 3_600).unwrap_or_default();
        unit.note_principals(&scope, at, &principals).await?;
    }
    Ok(())
}

/// The scope under which principals behind a key or address are counted.
pub(super) fn behind(application: &str, what: &str) -> String {
    let what: String = what.chars().take(80).collect();
    format!("{application} {what}")
}

/// The narrowest claim there is.
pub(super) fn narrowest(principal: &Principal) -> String {
    let cut = |text: &str| text.chars().take(200).collect::<String>();
    if let Some(user) = &principal.user {
        format!("user {}", cut(&user.value))
    } else if let Some(session) = &principal.session {
        format!("session {}", cut(&session.value))
    } else if let Some(address) = &principal.address {
        format!("address {}", cut(address))
    } else if let Some(key) = principal.key {
        format!("key {key}")
    } else {
        "unknown".to_owned()
    }
}
