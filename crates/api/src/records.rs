//! The records control takes and hands out, by the names of the store that keeps them. Types only:
//! everything here goes through a control command.

pub(crate) use quell_store::{
    Account, ApiKey, ApiToken, Approval, EvidenceItem, IncidentFilter, IncidentInteraction,
    LabelFilter, MeasureFilter, ModelRecord, Page, PageRequest, RoleAssignment, RuleChange,
    RuleFigures, RuleSetting, SignalFilter, SignalLabel, SignalRecord, Versioned,
};
