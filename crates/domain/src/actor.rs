//! Who did it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::incident::UnknownName;

/// Whoever changed something: a person, a token, a policy, a rule or the product itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// `user:<name>`: a signed-in person.
    User(String),
    /// `token:<name>`: an API token.
    Token(String),
    /// `policy:<application>`: an automatic response policy.
    Policy(String),
    /// `rule:<id>`: a detection or severity rule.
    Rule(String),
    /// `system`: the product's own housekeeping.
    System,
}

impl Actor {
    /// Whether a person or a token held by one acted (and not the product by itself).
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::User(_) | Self::Token(_))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::Policy(name) => write!(f, "policy:{name}"),
            Self::Rule(id) => write!(f, "rule:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown =
            || UnknownName::new("actor", text, "user:, token:, policy:, rule:, system".into());
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some((_, "")) | None => Err(unknown()),
            Some(("user", name)) => Ok(Self::User(name.into())),
            Some(("token", name)) => Ok(Self::Token(name.into())),
            Some(("policy", name)) => Ok(Self::Policy(name.into())),
            Some(("rule", name)) => Ok(Self::Rule(name.into())),
            Some(_) => Err(unknown()),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
