//! Who asks, and what they may do.

use quell_domain::{AccessRole, Actor};

use crate::refused::Refused;

/// Whoever asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub role: AccessRole,
}

impl Access {
    /// The product itself, for setup and tests.
    pub const fn system() -> Self {
        Self { actor: Actor::System, role: AccessRole::Admin }
    }

    /// Refuses whoever lacks `role`.
    pub fn require(&self, role: AccessRole) -> Result<(), Refused> {
        if self.role >= role { Ok(()) } else { Err(Refused::Forbidden(role)) }
    }

    /// The account behind it; a token acts for its owner.
    pub fn account(&self) -> Option<&str> {
        match &self.actor {
            Actor::User(name) => Some(name),
            Actor::Token(name) => name.split_once('/').map(|(owner, _)| owner),
            Actor::Policy(_) | Actor::Rule(_) | Actor::System => None,
        }
    }
}
