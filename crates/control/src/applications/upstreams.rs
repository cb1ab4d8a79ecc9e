//! Model endpoints.

use quell_domain::AccessRole;
use quell_domain::application::Upstream;
use quell_store::Versioned;
use serde_json::json;

use super::{check_reference, is_name};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

impl Control {
    /// Every upstream, by name.
    pub async fn upstreams(&self, access: &Access) -> Result<Vec<Versioned<Upstream>>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.upstreams().await?)
    }

    /// Stores an upstream: as new without `version`, else over that version.
    pub async fn put_upstream(
        &self,
        access: &Access,
        upstream: Upstream,
        version: Option<i64>,
    ) -> Result<i64, Refused> {
        access.require(AccessRole::Admin)?;
        check(&upstream)?;
        let mut unit = self.unit(&access.actor).await?;
        let stored = unit.put_upstream(&upstream, version).await?;
        let epoch = unit.epoch().await?;
        let data = json!({"upstream": upstream.name, "version": stored, "epoch": epoch});
        unit.event(None, "upstream.stored", data);
        unit.commit().await?;
        Ok(stored)
    }

    /// Removes an upstream that no application uses.
    pub async fn delete_upstream(&self, access: &Access, name: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let applications = unit.applications().await?;
        let user = applications.iter().find(|a| a.value.upstreams.iter().any(|u| u == name));
        if let Some(user) = user {
            let message = format!("application {} uses the upstream", user.value.name);
            return Err(Refused::state("upstream.used", message));
        }
        if !unit.delete_upstream(name).await? {
            return Err(Refused::not_found("upstream", name));
        }
        let epoch = unit.epoch().await?;
        unit.event(None, "upstream.deleted", json!({"upstream": name, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }
}

fn check(upstream: &Upstream) -> Result<(), Refused> {
    if !is_name(&upstream.name) {
        let message = "a name is 1 to 64 of a-z 0-9 - and starts with a letter";
        return Err(Refused::invalid("upstream.name", message));
    }
    let scheme = ["http://", "https://"].iter().any(|s| upstream.base_url.starts_with(s));
    let clean = !upstream.base_url.contains(['?', '#', '@', ' ']);
    if !scheme || !clean || upstream.base_url.len() > 2_000 {
        let message = "base_url is http:// or https:// with host and path, without user or query";
        return Err(Refused::invalid("upstream.base_url", message));
    }
    upstream.secret.as_deref().map_or(Ok(()), check_reference)
}
