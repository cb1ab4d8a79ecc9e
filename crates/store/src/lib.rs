//! Relational state: what an operator set up, what happened, and what is in force.
//!
//! [`Store::read`] gives a consistent view, [`Store::begin`] a write transaction ([`Tx`]), which
//! reads too. Everything a command changes is written through one `Tx`, its timeline events and
//! outbox rows included, and is there after [`Tx::commit`] or not at all.
//!
//! Invariants: every aggregate carries a `version`; an update whose version is no longer the
//! stored one is [`StoreError::Conflict`], and the caller loads again. Events are never updated.
//! The SQL is one text for SQLite and PostgreSQL.

mod accounts;
mod activity;
mod approvals;
mod baselines;
mod behaviour;
mod correlator;
mod error;
mod events;
mod evidence;
mod gateways;
mod idempotency;
mod incidents;
mod interactions;
mod inventory;
mod keys;
mod labels;
mod links;
mod measures;
mod models;
mod named;
mod outbox;
mod page;
mod roles;
mod row;
mod rules;
mod sessions;
mod settings;
mod signals;
mod store;
mod tokens;

pub use accounts::Account;
pub use activity::PRINCIPALS_PER_HOUR;
pub use approvals::{Approval, ApprovalDecision};
pub use baselines::{BaselineScope, BaselineState, StoredBaselineState};
pub use behaviour::BehaviourRow;
pub use error::StoreError;
pub use evidence::EvidenceItem;
pub use gateways::GatewayRecord;
pub use idempotency::StoredReply;
pub use incidents::IncidentFilter;
pub use interactions::IncidentInteraction;
pub use inventory::RuleSetting;
pub use keys::ApiKey;
pub use labels::{LabelFilter, RuleFigures, SignalLabel};
pub use links::{LinkPurpose, OneTimeLink};
pub use measures::MeasureFilter;
pub use models::{GateResult, ModelEnd, ModelRecord, ModelState};
pub use named::Versioned;
pub use outbox::{OutboxItem, OutboxKind};
pub use page::{Page, PageRequest};
pub use roles::RoleAssignment;
pub use rules::{BacktestSummary, RuleChange, RuleChangeKind};
pub use sessions::Session;
pub use signals::{SignalCount, SignalFilter, SignalRecord};
pub use store::{Backend, Read, Store, Tx};
pub use tokens::ApiToken;
