//! What the operator set up: applications, upstreams, detection content, rule modes.

use quell_domain::Actor;
use quell_domain::application::{Application, Upstream};
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::named::{NamedTable, Versioned, named_table};
use crate::store::{Read, Tx};

const APPLICATIONS: NamedTable = named_table!("applications", "the application");
const UPSTREAMS: NamedTable = named_table!("upstreams", "the upstream");
const CONTENT: NamedTable = named_table!("content_overrides", "the content file");
const RULES: NamedTable = named_table!("rule_modes", "the rule setting");

/// A person's choice about one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleSetting {
    /// The rule's id.
    pub rule: String,
    /// The mode that replaces the shipped one.
    pub mode: RuleMode,
    /// Who chose it.
    pub actor: Actor,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl Read {
    /// Every application, by name.
    pub async fn applications(&mut self) -> Result<Vec<Versioned<Application>>, StoreError> {
        self.named_list(&APPLICATIONS).await
    }

    /// One application.
    pub async fn application(
        &mut self,
        name: &str,
    ) -> Result<Option<Versioned<Application>>, StoreError> {
        self.named(&APPLICATIONS, name).await
    }

    /// Every upstream, by name.
    pub async fn upstreams(&mut self) -> Result<Vec<Versioned<Upstream>>, StoreError> {
        self.named_list(&UPSTREAMS).await
    }

    /// One upstream.
    pub async fn upstream(
        &mut self,
        name: &str,
    ) -> Result<Option<Versioned<Upstream>>, StoreError> {
        self.named(&UPSTREAMS, name).await
    }

    /// Detection content that overrides or extends what is embedded, by path.
    pub async fn content(&mut self) -> Result<Vec<Versioned<ContentFile>>, StoreError> {
        self.named_list(&CONTENT).await
    }

    /// One content file.
    pub async fn content_file(
        &mut self,
        path: &str,
    ) -> Result<Option<Versioned<ContentFile>>, StoreError> {
        self.named(&CONTENT, path).await
    }

    /// Every rule setting, by rule.
    pub async fn rule_settings(&mut self) -> Result<Vec<Versioned<RuleSetting>>, StoreError> {
        self.named_list(&RULES).await
    }

    /// The setting of one rule.
    pub async fn rule_setting(
        &mut self,
        rule: &str,
    ) -> Result<Option<Versioned<RuleSetting>>, StoreError> {
        self.named(&RULES, rule).await
    }
}

impl Tx {
    /// Stores an application: as new without `version`, else over that version. Gives the new one.
    pub async fn put_application(
        &mut self,
        application: &Application,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.put_named(&APPLICATIONS, &application.name, application, version).await
    }

    /// Removes an application. True when there was one.
    pub async fn delete_application(&mut self, name: &str) -> Result<bool, StoreError> {
        self.delete_named(&APPLICATIONS, name).await
    }

    /// Stores an upstream: as new without `version`, else over that version. Gives the new one.
    pub async fn put_upstream(
        &mut self,
        upstream: &Upstream,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.put_named(&UPSTREAMS, &upstream.name, upstream, version).await
    }

    /// Removes an upstream. True when there was one.
    pub async fn delete_upstream(&mut self, name: &str) -> Result<bool, StoreError> {
        self.delete_named(&UPSTREAMS, name).await
    }

    /// Stores a content file: as new without `version`, else over that version. Gives the new one.
    pub async fn put_content(
        &mut self,
        file: &ContentFile,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.put_named(&CONTENT, &file.path, file, version).await
    }

    /// Removes a content file. True when there was one.
    pub async fn delete_content(&mut self, path: &str) -> Result<bool, StoreError> {
        self.delete_named(&CONTENT, path).await
    }

    /// Stores a rule setting: as new without `version`, else over that version. Gives the new one.
    pub async fn put_rule_setting(
        &mut self,
        setting: &RuleSetting,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.put_named(&RULES, &setting.rule, setting, version).await
    }

    /// Gives a rule back its shipped mode. True when it had a setting.
    pub async fn delete_rule_setting(&mut self, rule: &str) -> Result<bool, StoreError> {
        self.delete_named(&RULES, rule).await
    }
}
