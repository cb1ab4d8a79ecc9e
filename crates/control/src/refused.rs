//! Why a command was not carried out, with stable codes.

use quell_domain::AccessRole;
use quell_response::{ApprovalRefused, Invalid};
use quell_store::StoreError;

/// Why a command was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody known.
    #[error("sign in, or present a token that is valid")]
    Unauthenticated,
    /// The access role does not reach.
    #[error("this needs the access role {0}")]
    Forbidden(AccessRole),
    /// No such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Under which name.
        id: String,
    },
    /// What was asked for makes no sense.
    #[error("{message}")]
    Invalid {
        /// Stable code.
        code: &'static str,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Not as things stand.
    #[error("{message}")]
    State {
        /// Stable code.
        code: &'static str,
        /// What is in the way.
        message: String,
    },
    /// Too often.
    #[error("too many attempts; wait {seconds} seconds")]
    TooMany {
        /// How long.
        seconds: u64,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files did not do it.
    #[error("{message}")]
    Files {
        /// What went wrong where.
        message: String,
    },
}

/// What sort of refusal it is: decides the status of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nobody known.
    Unauthenticated,
    /// The access role does not reach.
    Forbidden,
    /// No such thing.
    NotFound,
    /// What was asked for makes no sense.
    Invalid,
    /// Not as things stand, or somebody else was faster.
    Conflict,
    /// Too often.
    TooMany,
    /// The database or a disk is away; try again.
    Unavailable,
    /// The product's own fault.
    Internal,
}

// === impl Refused ===

impl Refused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Invalid { code, .. } | Self::State { code, .. } => code,
            Self::TooMany { .. } => "too_many_attempts",
            Self::Store(StoreError::Conflict { .. }) => "changed_meanwhile",
            Self::Store(StoreError::Exists) => "exists",
            Self::Store(StoreError::Dangling) => "dangling",
            Self::Store(StoreError::Unstorable(_)) => "unstorable",
            Self::Store(StoreError::Corrupt { .. }) => "corrupt",
            Self::Store(_) => "database_unavailable",
            Self::Files { .. } => "files_unavailable",
        }
    }

    /// What sort of refusal it is.
    pub const fn class(&self) -> Class {
        match self {
            Self::Unauthenticated => Class::Unauthenticated,
            Self::Forbidden(_) => Class::Forbidden,
            Self::NotFound { .. } => Class::NotFound,
            Self::Invalid { .. }
            | Self::Store(StoreError::Unstorable(_) | StoreError::Dangling) => Class::Invalid,
            Self::State { .. } | Self::Store(StoreError::Conflict { .. } | StoreError::Exists) => {
                Class::Conflict
            }
            Self::TooMany { .. } => Class::TooMany,
            Self::Store(StoreError::Corrupt { .. }) => Class::Internal,
            Self::Store(_) | Self::Files { .. } => Class::Unavailable,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "given ids and names alike")]
    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    pub(crate) fn state(code: &'static str, message: impl Into<String>) -> Self {
        Self::State { code, message: message.into() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "called through map_err")]
    pub(crate) fn files(message: impl ToString) -> Self {
        Self::Files { message: message.to_string() }
    }
}

impl From<quell_triage::Refused> for Refused {
    fn from(refused: quell_triage::Refused) -> Self {
        use quell_triage::Refused as R;
        let message = refused.to_string();
        match refused {
            R::State { .. } => Self::state("incident.state", message),
            R::Over(_) => Self::state("incident.over", message),
            R::NoReason => Self::invalid("reason_missing", message),
            R::Itself => Self::invalid("incident.itself", message),
            R::OnlyPeopleLower { .. } => Self::state("severity.only_people_lower", message),
        }
    }
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        match invalid {
            Invalid::Unapproved => Self::state("measure.approval_required", message),
            Invalid::Scope { .. } => Self::invalid("measure.scope", message),
            Invalid::Endless => Self::invalid("measure.endless", message),
            Invalid::Name { .. } | Invalid::Address(_) | Invalid::Key(_) => {
                Self::invalid("measure.target", message)
            }
            Invalid::PatternLength
            | Invalid::Regex(_)
            | Invalid::Pattern { .. }
            | Invalid::MatchesEmpty
            | Invalid::NoSample
            | Invalid::SampleMisses => Self::invalid("measure.pattern", message),
        }
    }
}

impl From<quell_response::measure::Refused> for Refused {
    fn from(refused: quell_response::measure::Refused) -> Self {
        use quell_response::measure::Refused as R;
        let message = refused.to_string();
        match refused {
            R::Invalid(invalid) => invalid.into(),
            R::State { .. } | R::NotYet => Self::state("measure.state", message),
            R::RanOut => Self::state("measure.ran_out", message),
        }
    }
}

impl From<ApprovalRefused> for Refused {
    fn from(refused: ApprovalRefused) -> Self {
        use ApprovalRefused as R;
        let message = refused.to_string();
        match refused {
            R::Role(_) => Self::Forbidden(AccessRole::Approver),
            R::NotAPerson => Self::state("approval.not_a_person", message),
            R::OwnRequest => Self::state("approval.own_request", message),
            R::Lapsed(_) => Self::state("approval.lapsed", message),
            R::Decided(_) => Self::state("approval.decided", message),
            R::NotGranted(_) => Self::state("approval.not_granted", message),
            R::OtherAction => Self::state("approval.other_action", message),
            R::Unbindable(_) => Self::invalid("approval.unbindable", message),
        }
    }
}
