//! The records control hands out, by the names of the store that keeps them.

pub(crate) use quell_store::{
    Account, ApiKey, ApiToken, Approval, EvidenceItem, IncidentFilter, IncidentInteraction,
    MeasureFilter, Page, PageRequest, RoleAssignment, SignalFilter, SignalRecord, Versioned,
};
