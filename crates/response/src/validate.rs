//! Which measures may exist at all. Control asks before it stores one, the table asks again.

use std::net::IpAddr;

use quell_detection::{PatternError, PatternSet};
use quell_domain::measure::{Effect, Target, TextPattern};
use quell_domain::{ApiKeyId, Measure, MeasureId};
use regex::RegexBuilder;

/// Longest pattern, bytes.
pub const PATTERN_BYTES_MAX: usize = 1_000;
/// Shortest literal pattern, characters: shorter ones hit everything.
pub const PATTERN_CHARS_MIN: usize = 3;
/// Largest compiled regex, bytes.
const REGEX_SIZE_MAX: usize = 1 << 20;
/// Longest target value, bytes.
const TARGET_BYTES_MAX: usize = 512;

/// Why a measure cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The effect makes no sense for the target.
    #[error(
        "{effect} (level {level}) cannot act on {target}; {instead}",
        level = level_of(effect)
    )]
    Scope {
        /// The effect's name.
        effect: &'static str,
        /// The target's sort.
        target: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Level 4 without approval.
    #[error("level 4 (shutdown) needs an approval by someone entitled; request one and apply it")]
    Unapproved,
    /// Neither an end nor a person behind it.
    #[error("a measure that no person asked for or approved needs an expiry")]
    Endless,
    /// A target that is empty or too long.
    #[error("the {target} to act on must have 1 to 512 bytes")]
    Name {
        /// The target's sort.
        target: &'static str,
    },
    /// Not an address.
    #[error("{0:?} is not an IP address; give it without port")]
    Address(String),
    /// Not a key id.
    #[error("{0:?} is not a key id; expected `key_…`")]
    Key(String),
    /// A pattern outside its limits.
    #[error("a pattern needs at least 3 characters and at most 1000 bytes")]
    PatternLength,
    /// A regex that does not compile.
    #[error("the pattern is not a linear-time regex: {0}")]
    Regex(String),
    /// A pattern that detection cannot look for.
    #[error("{message}; {help}")]
    Pattern {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// A regex that matches nothing, and so everything.
    #[error("the pattern matches the empty text, so it would stop all traffic")]
    MatchesEmpty,
    /// A regex without a text that matches it.
    #[error("a regex pattern needs a `sample` text that matches it; the probe sends it")]
    NoSample,
    /// A sample that does not match.
    #[error("the sample does not match the pattern, so the measure could never be verified")]
    SampleMisses,
}

fn level_of(effect: &str) -> u8 {
    match effect {
        "restrict" => 1,
        "degrade" => 2,
        "fallback" => 3,
        _ => 4,
    }
}

/// Whether `measure` can be carried out, and may be.
pub fn validate(measure: &Measure) -> Result<(), Invalid> {
    check_scope(&measure.target, &measure.effect)?;
    check_target(measure.id, &measure.target)?;
    if matches!(measure.effect, Effect::Shutdown) && measure.approval.is_none() {
        return Err(Invalid::Unapproved);
    }
    let someone_answers = measure.approval.is_some() || measure.actor.is_person();
    if measure.expires_at.is_none() && !someone_answers {
        return Err(Invalid::Endless);
    }
    Ok(())
}

/// Whether the effect makes sense for the target.
pub fn check_scope(target: &Target, effect: &Effect) -> Result<(), Invalid> {
    let instead = match (target, effect) {
        (Target::Application, Effect::Restrict) => {
            "to stop all of an application use fallback (level 3) or shutdown (level 4)"
        }
        (Target::Tool { .. } | Target::Pattern { .. }, Effect::Restrict)
        | (Target::Upstream { .. }, Effect::Restrict | Effect::Shutdown)
        | (Target::Application | Target::Model { .. }, _)
        | (
            Target::User { .. }
            | Target::Session { .. }
            | Target::Address { .. }
            | Target::ApiKey { .. },
            Effect::Restrict | Effect::Degrade { .. } | Effect::Fallback,
        ) => return Ok(()),
        (Target::Tool { .. } | Target::Pattern { .. }, _) => "use restrict (level 1)",
        (Target::Upstream { .. }, _) => "use restrict (level 1) or shutdown (level 4)",
        (_, Effect::Shutdown) => "to stop one principal use restrict (level 1)",
    };
    Err(Invalid::Scope { effect: effect.name(), target: sort(target), instead })
}

/// What sort of target it is, as people write it.
pub const fn sort(target: &Target) -> &'static str {
    match target {
        Target::Application => "application",
        Target::User { .. } => "user",
        Target::Session { .. } => "session",
        Target::Address { .. } => "address",
        Target::ApiKey { .. } => "key",
        Target::Tool { .. } => "tool",
        Target::Model { .. } => "model",
        Target::Upstream { .. } => "upstream",
        Target::Pattern { .. } => "pattern",
    }
}

fn check_target(id: MeasureId, target: &Target) -> Result<(), Invalid> {
    match target {
        Target::Application => Ok(()),
        Target::User { user: name }
        | Target::Session { session: name }
        | Target::Tool { tool: name }
        | Target::Model { model: name }
        | Target::Upstream { upstream: name } => {
            if name.is_empty() || name.len() > TARGET_BYTES_MAX {
                return Err(Invalid::Name { target: sort(target) });
            }
            Ok(())
        }
        Target::Address { address } => parse_address(address)
            .map(|_| ())
            .ok_or_else(|| Invalid::Address(address.chars().take(64).collect())),
        Target::ApiKey { key } => key
            .parse::<ApiKeyId>()
            .map(|_| ())
            .map_err(|_| Invalid::Key(key.chars().take(64).collect())),
        Target::Pattern { pattern } => check_pattern(id, pattern),
    }
}

/// An address in the one form it is compared in: IPv4 in IPv6 clothes is IPv4.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn check_pattern(id: MeasureId, pattern: &TextPattern) -> Result<(), Invalid> {
    let text = pattern.text.as_str();
    if text.len() > PATTERN_BYTES_MAX || text.trim().chars().count() < PATTERN_CHARS_MIN {
        return Err(Invalid::PatternLength);
    }
    let source = if pattern.regex { text.to_owned() } else { regex::escape(text) };
    let regex = RegexBuilder::new(&source)
        .case_insensitive(true)
        .size_limit(REGEX_SIZE_MAX)
        .build()
        .map_err(|error| Invalid::Regex(last_line(&error.to_string())))?;
    if regex.is_match("") {
        return Err(Invalid::MatchesEmpty);
    }
    match &pattern.sample {
        None if pattern.regex => Err(Invalid::NoSample),
        Some(sample) if !regex.is_match(sample) => Err(Invalid::SampleMisses),
        _ => match PatternSet::from_measures(&[(id, pattern.clone())]) {
            Ok(_) => Ok(()),
            Err(PatternError { message, help, .. }) => Err(Invalid::Pattern { message, help }),
        },
    }
}

/// The regex crate draws the pattern over several lines; its last line says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim().trim_start_matches("error: ").to_owned()
}
