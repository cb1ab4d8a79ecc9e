//! What a pattern pack says: the YAML of `content/patterns/`.

use quell_domain::interaction::Role;
use quell_domain::rule::Direction;
use serde::Deserialize;

use crate::validate::Validator;

/// Longest match a pattern may have, bytes.
pub const MAX_LEN: usize = 4096;

/// One pattern: what is looked for, where, and the fact it raises.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternSpec {
    /// Unique name, e.g. `secrets.aws_access_key`.
    pub id: String,
    /// The fact a match raises, e.g. `secret.aws_access_key`.
    pub fact: String,
    /// The regex runs only near one of these. Lower case unless `exact`.
    pub keywords: Vec<String>,
    /// What must match around a keyword; without it the keyword itself is the match.
    #[serde(default)]
    pub regex: Option<String>,
    /// Longest match, bytes; also how far around a keyword the regex looks.
    #[serde(default = "default_max_len")]
    pub max_len: usize,
    /// A check of the matched text beyond the regex.
    #[serde(default)]
    pub validator: Option<Validator>,
    /// Which way the text goes; both when empty.
    #[serde(default)]
    pub directions: Vec<Direction>,
    /// Whose text it is looked for in; everybody's but the operator's own when empty.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The match begins with the keyword. On a stream, text is then held back from there on for
    /// as long as the match can still complete and a rule would redact or block it.
    #[serde(default)]
    pub hold: bool,
    /// Match the text as it is, case included, instead of its folded form.
    #[serde(default)]
    pub exact: bool,
}

const fn default_max_len() -> usize {
    256
}

impl PatternSpec {
    /// A literal that raises `fact` wherever it stands, held back on streams.
    pub fn literal(id: &str, fact: &str, text: &str) -> Self {
        Self {
            id: id.into(),
            fact: fact.into(),
            keywords: vec![text.into()],
            regex: None,
            max_len: MAX_LEN,
            validator: None,
            directions: Vec::new(),
            roles: Vec::new(),
            hold: true,
            exact: false,
        }
    }

    /// Every fact a match may raise.
    pub fn facts(&self) -> impl Iterator<Item = &str> {
        let more = self.validator.map(Validator::facts).unwrap_or_default();
        std::iter::once(self.fact.as_str()).chain(more.iter().map(|(fact, _)| *fact))
    }

    /// Whether the pattern looks at this direction.
    pub fn covers(&self, direction: Direction) -> bool {
        self.directions.is_empty() || self.directions.contains(&direction)
    }

    /// Whether the pattern looks at this speaker's text.
    pub fn listens_to(&self, role: Role) -> bool {
        if self.roles.is_empty() { role != Role::System } else { self.roles.contains(&role) }
    }
}

/// A file of `content/patterns/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternPack {
    /// The pack's name.
    pub pack: String,
    /// What it is for and where the patterns come from.
    #[serde(default)]
    pub description: String,
    /// The roles of those patterns that state none themselves.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The patterns.
    pub patterns: Vec<PatternSpec>,
}
