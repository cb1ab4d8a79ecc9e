//! The enforcement table: every measure in force, compiled for the hot path.
//!
//! Lookups are hash look-ups by application, then by target; nothing is allocated for a request
//! no measure applies to. Expiry is applied here, at `now`: a gateway that lost its control
//! process still lets a measure end in time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use quell_detection::{PatternError, PatternSet};
use quell_domain::interaction::{Cause, Outcome};
use quell_domain::measure::{Degradation, Effect, Target};
use quell_domain::{ApiKeyId, Measure, MeasureId, Principal};

use crate::validate::{self, Invalid};

/// Most measures one table holds.
pub const MEASURES_MAX: usize = 100_000;

/// One epoch's measures, compiled.
#[derive(Debug, Default)]
pub struct Table {
    epoch: u64,
    applications: HashMap<String, Rows>,
    expiries: HashMap<MeasureId, Option<Timestamp>>,
    no_patterns: Arc<PatternSet>,
}

/// Who and what asks.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The application's name.
    pub application: &'a str,
    /// Who.
    pub principal: &'a Principal,
    /// The model the client asks for.
    pub model: Option<&'a str>,
    /// Names of the tools offered.
    pub tools: &'a [String],
}

/// What a request is to meet. The default is to pass untouched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Treatment {
    /// Offline, by this measure.
    pub shutdown: Option<MeasureId>,
    /// Answered without the model, by this measure.
    pub fallback: Option<MeasureId>,
    /// Refused, by this measure.
    pub restrict: Option<MeasureId>,
    /// What is taken away: every degrade that applies, combined to the strictest.
    pub degrade: Option<Degradation>,
    /// Tools of the request to remove.
    pub blocked_tools: Vec<String>,
    /// The measures behind `degrade`.
    pub degraded_by: Vec<MeasureId>,
    /// Every reason, strongest first.
    pub causes: Vec<Cause>,
}

/// A measure that cannot be compiled. The whole table is refused: half a table is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("measure {measure} cannot be enforced: {why}")]
pub struct TableError {
    /// The measure.
    pub measure: MeasureId,
    /// What is wrong with it.
    #[source]
    pub why: TableFault,
}

/// What is wrong with a measure or with the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableFault {
    /// The measure itself.
    #[error(transparent)]
    Measure(#[from] Invalid),
    /// Too many of them.
    #[error("a table holds at most {MEASURES_MAX} measures")]
    TooMany,
    /// Two measures with one id.
    #[error("the id is used twice")]
    Twice,
}

/// The measures of one application.
#[derive(Debug, Default)]
struct Rows {
    application: Vec<Row>,
    users: HashMap<String, Vec<Row>>,
    sessions: HashMap<String, Vec<Row>>,
    addresses: HashMap<IpAddr, Vec<Row>>,
    keys: HashMap<ApiKeyId, Vec<Row>>,
    models: HashMap<String, Vec<Row>>,
    tools: HashMap<String, Vec<Row>>,
    upstreams: HashMap<String, Vec<Row>>,
    pattern_measures: Vec<Measure>,
    patterns: Arc<PatternSet>,
}

#[derive(Debug)]
struct Row {
    id: MeasureId,
    effect: Effect,
    expires_at: Option<Timestamp>,
}

// === impl Table ===

impl Table {
    /// Compiles `measures` for `epoch`.
    pub fn compile(epoch: u64, measures: &[Measure]) -> Result<Self, TableError> {
        let mut table = Self { epoch, ..Self::default() };
        for (index, measure) in measures.iter().enumerate() {
            let refused = |why: TableFault| TableError { measure: measure.id, why };
            if index >= MEASURES_MAX {
                return Err(refused(TableFault::TooMany));
            }
            validate::validate(measure).map_err(|invalid| refused(invalid.into()))?;
            if table.expiries.insert(measure.id, measure.expires_at).is_some() {
                return Err(refused(TableFault::Twice));
            }
            table
                .applications
                .entry(measure.application.clone())
                .or_default()
                .insert(measure)
                .map_err(|invalid| refused(invalid.into()))?;
        }
        for rows in table.applications.values_mut() {
            rows.compile_patterns()?;
        }
        Ok(table)
    }

    /// The epoch it was compiled for.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many measures it holds, expired ones included.
    pub fn len(&self) -> usize {
        self.expiries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.expiries.is_empty()
    }

    /// What `subject` is to meet at `now`.
    pub fn treatment(&self, subject: &Subject<'_>, now: Timestamp) -> Treatment {
        let mut treatment = Treatment::default();
        if let Some(rows) = self.applications.get(subject.application) {
            rows.for_subject(subject, |row| treatment.add(row, now));
            rows.block_tools(subject.tools, &mut treatment, now);
            treatment.causes.sort_by_key(|cause| std::cmp::Reverse(cause.outcome));
        }
        treatment
    }

    /// Why `upstream` must not be used for `application` at `now`.
    pub fn upstream_forbidden(
        &self,
        application: &str,
        upstream: &str,
        now: Timestamp,
    ) -> Option<Cause> {
        let rows = self.applications.get(application)?.upstreams.get(upstream)?;
        rows.iter().filter(|row| row.is_live(now)).map(Row::cause).max_by_key(|cause| cause.outcome)
    }

    /// Why a call of `tool` must not pass for `application` at `now`.
    pub fn tool_forbidden(&self, application: &str, tool: &str, now: Timestamp) -> Option<Cause> {
        let rows = self.applications.get(application)?.tools.get(tool)?;
        rows.iter().find(|row| row.is_live(now)).map(Row::cause)
    }

    /// Why an exchange admitted under `admitted_epoch` must not run on. A shutdown, fallback or
    /// restriction cuts it; a degradation only shapes requests still to come. The upstream it
    /// runs on is asked for separately, with [`Table::upstream_forbidden`].
    pub fn forbids_running(
        &self,
        subject: &Subject<'_>,
        admitted_epoch: u64,
        now: Timestamp,
    ) -> Option<Cause> {
        if admitted_epoch >= self.epoch {
            return None;
        }
        let mut worst: Option<Cause> = None;
        self.applications.get(subject.application)?.for_subject(subject, |row| {
            let cuts = !matches!(row.effect, Effect::Degrade { .. });
            if cuts && row.is_live(now) {
                let cause = row.cause();
                if worst.as_ref().is_none_or(|known| known.outcome < cause.outcome) {
                    worst = Some(cause);
                }
            }
        });
        worst
    }

    /// The text patterns in force for `application`, compiled. A hit names its measure; whether
    /// that has run out by now, [`Table::in_force`] says.
    pub fn patterns(&self, application: &str) -> &Arc<PatternSet> {
        self.applications.get(application).map_or(&self.no_patterns, |rows| &rows.patterns)
    }

    /// The pattern measures of `application`, expired ones included.
    pub fn pattern_measures(&self, application: &str) -> &[Measure] {
        self.applications.get(application).map_or(&[], |rows| rows.pattern_measures.as_slice())
    }

    /// Whether `measure` is in the table and has not run out at `now`.
    pub fn in_force(&self, measure: MeasureId, now: Timestamp) -> bool {
        self.expiries.get(&measure).is_some_and(|expires_at| expires_at.is_none_or(|end| now < end))
    }
}

// === impl Rows ===

impl Rows {
    fn insert(&mut self, measure: &Measure) -> Result<(), Invalid> {
        let row =
            Row { id: measure.id, effect: measure.effect.clone(), expires_at: measure.expires_at };
        match &measure.target {
            Target::Application => self.application.push(row),
            Target::User { user } => push(&mut self.users, user.clone(), row),
            Target::Session { session } => push(&mut self.sessions, session.clone(), row),
            Target::Model { model } => push(&mut self.models, model.clone(), row),
            Target::Tool { tool } => push(&mut self.tools, tool.clone(), row),
            Target::Upstream { upstream } => push(&mut self.upstreams, upstream.clone(), row),
            Target::Address { address } => {
                let parsed = validate::parse_address(address)
                    .ok_or_else(|| Invalid::Address(address.clone()))?;
                push(&mut self.addresses, parsed, row);
            }
            Target::ApiKey { key } => {
                let parsed = key.parse().map_err(|_| Invalid::Key(key.clone()))?;
                push(&mut self.keys, parsed, row);
            }
            Target::Pattern { .. } => self.pattern_measures.push(measure.clone()),
        }
        Ok(())
    }

    fn compile_patterns(&mut self) -> Result<(), TableError> {
        let mut texts = Vec::with_capacity(self.pattern_measures.len());
        for measure in &self.pattern_measures {
            if let Target::Pattern { pattern } = &measure.target {
                texts.push((measure.id, pattern.clone()));
            }
        }
        let Some((first, _)) = texts.first() else { return Ok(()) };
        let refused = |PatternError { message, help, pattern }: PatternError| TableError {
            measure: pattern.parse().unwrap_or(*first),
            why: TableFault::Measure(Invalid::Pattern { message, help }),
        };
        self.patterns = Arc::new(PatternSet::from_measures(&texts).map_err(refused)?);
        Ok(())
    }

    /// Hands over every row whose target is the subject, live or not.
    fn for_subject<'r>(&'r self, subject: &Subject<'_>, mut each: impl FnMut(&'r Row)) {
        let principal = subject.principal;
        let user = principal.user.as_ref().and_then(|user| self.users.get(&user.value));
        let session = principal.session.as_ref().and_then(|s| self.sessions.get(&s.value));
        let key = principal.key.and_then(|key| self.keys.get(&key));
        let model = subject.model.and_then(|model| self.models.get(model));
        let address = match &principal.address {
            Some(address) if !self.addresses.is_empty() => {
                validate::parse_address(address).and_then(|a| self.addresses.get(&a))
            }
            _ => None,
        };
        let found = [Some(&self.application), user, session, key, model, address];
        found.into_iter().flatten().flatten().for_each(&mut each);
    }

    fn block_tools(&self, offered: &[String], treatment: &mut Treatment, now: Timestamp) {
        if self.tools.is_empty() {
            return;
        }
        for tool in offered {
            let rows = self.tools.get(tool).map_or(&[][..], Vec::as_slice);
            let Some(row) = rows.iter().find(|row| row.is_live(now)) else { continue };
            if !treatment.blocked_tools.contains(tool) {
                treatment.blocked_tools.push(tool.clone());
                // The request passes, without the tool.
                treatment.causes.push(Cause { outcome: Outcome::Degraded, by: row.by() });
            }
        }
    }
}

fn push<K: std::hash::Hash + Eq>(rows: &mut HashMap<K, Vec<Row>>, key: K, row: Row) {
    rows.entry(key).or_default().push(row);
}

// === impl Row ===

impl Row {
    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    fn by(&self) -> String {
        format!("measure:{}", self.id)
    }

    fn cause(&self) -> Cause {
        let outcome = match self.effect {
            Effect::Restrict => Outcome::Blocked,
            Effect::Degrade { .. } => Outcome::Degraded,
            Effect::Fallback => Outcome::Fallback,
            Effect::Shutdown => Outcome::ShutDown,
        };
        Cause { outcome, by: self.by() }
    }
}

// === impl Treatment ===

impl Treatment {
    /// What becomes of the request by precedence: shut down, fallback, blocked, degraded.
    pub fn outcome(&self) -> Outcome {
        if self.shutdown.is_some() {
            Outcome::ShutDown
        } else if self.fallback.is_some() {
            Outcome::Fallback
        } else if self.restrict.is_some() {
            Outcome::Blocked
        } else if self.degrade.is_some() || !self.blocked_tools.is_empty() {
            Outcome::Degraded
        } else {
            Outcome::Allowed
        }
    }

    /// Whether the request passes untouched.
    pub fn is_untouched(&self) -> bool {
        self.causes.is_empty()
    }

    fn add(&mut self, row: &Row, now: Timestamp) {
        if !row.is_live(now) {
            return;
        }
        match &row.effect {
            Effect::Shutdown => self.shutdown = self.shutdown.or(Some(row.id)),
            Effect::Fallback => self.fallback = self.fallback.or(Some(row.id)),
            Effect::Restrict => self.restrict = self.restrict.or(Some(row.id)),
            Effect::Degrade { limits } => {
                self.degrade = Some(match self.degrade.take() {
                    None => limits.clone(),
                    Some(known) => strictest(&known, limits),
                });
                self.degraded_by.push(row.id);
            }
        }
        self.causes.push(row.cause());
    }
}

fn strictest(a: &Degradation, b: &Degradation) -> Degradation {
    let least = |a: Option<u32>, b: Option<u32>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    };
    Degradation {
        remove_tools: a.remove_tools || b.remove_tools,
        max_tokens: least(a.max_tokens, b.max_tokens),
        keep_messages: least(a.keep_messages, b.keep_messages),
        strict_preamble: a.strict_preamble || b.strict_preamble,
    }
}

#[cfg(test)]
mod tests;
