//! A measure as flags say it.

use clap::ValueEnum;
use quell_domain::measure::{Degradation, Effect, Target, TextPattern};
use quell_domain::rule::Direction;
use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::exit::Failure;
use crate::output;

/// What a measure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// Level 1: refuse, and cut running streams.
    #[value(alias = "1")]
    Restrict,
    /// Level 2: serve with fewer capabilities.
    #[value(alias = "2")]
    Degrade,
    /// Level 3: answer without the model.
    #[value(alias = "3")]
    Fallback,
    /// Level 4: offline.
    #[value(alias = "4")]
    Shutdown,
}

/// A measure of any level.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// What it does.
    #[arg(value_enum)]
    level: Level,
    #[command(flatten)]
    scope: Scope,
}

/// What a measure acts on, why and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Scope {
    /// The application it acts on.
    #[arg(long)]
    app: String,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    pattern: PatternArgs,
    #[command(flatten)]
    degrade: DegradeArgs,
    /// Why. Stored in the timeline.
    #[arg(long)]
    reason: String,
    /// The incident it belongs to, number or id.
    #[arg(long)]
    incident: Option<String>,
    /// How long it lasts; without it, until somebody lifts it.
    #[arg(long)]
    minutes: Option<u32>,
}

/// At most one; none means everything of the application.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
struct TargetArgs {
    /// One end user, as the gateway identifies it.
    #[arg(long)]
    user: Option<String>,
    /// One session.
    #[arg(long)]
    session: Option<String>,
    /// One address, without port.
    #[arg(long)]
    address: Option<String>,
    /// One Quell key, key_….
    #[arg(long)]
    key: Option<String>,
    /// One tool, by name.
    #[arg(long)]
    tool: Option<String>,
    /// One model, as clients ask for it.
    #[arg(long)]
    model: Option<String>,
    /// One upstream.
    #[arg(long)]
    upstream: Option<String>,
    /// Text that contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    pattern: Option<String>,
    /// Text that this linear-time regex matches; needs --sample.
    #[arg(long, value_name = "REGEX", requires = "sample")]
    regex: Option<String>,
}

#[derive(Debug, clap::Args)]
struct PatternArgs {
    /// For --regex: a text that matches, for the probe that verifies the measure.
    #[arg(long, value_name = "TEXT")]
    sample: Option<String>,
    /// For --pattern and --regex: where it applies; both ways unless told.
    #[arg(long, value_name = "DIRECTION")]
    direction: Option<Direction>,
}

#[derive(Debug, clap::Args)]
struct DegradeArgs {
    /// For degrade: leave tools in requests.
    #[arg(long)]
    keep_tools: bool,
    /// For degrade: most output tokens.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// For degrade: keep the system text and this many of the last messages.
    #[arg(long, value_name = "N")]
    keep_messages: Option<u32>,
    /// For degrade: leave the strict preamble out.
    #[arg(long)]
    no_preamble: bool,
}

impl Wanted {
    /// The body of the request.
    pub(super) async fn body(&self, client: &Client) -> Result<Value, Failure> {
        self.scope.body(client, self.level).await
    }

    /// Whether more than one principal is touched.
    pub(super) fn is_wide(&self) -> bool {
        matches!(
            self.scope.target.target(&self.scope.pattern),
            Target::Application | Target::Model { .. } | Target::Upstream { .. }
        )
    }

    /// What it is, in words.
    pub(super) fn in_words(&self) -> String {
        let target = serde_json::to_value(self.scope.target.target(&self.scope.pattern));
        let target = target.map_or_else(|_| "?".into(), |target| super::target(&target));
        format!("{} {target} of {}", self.level.effect(&self.scope.degrade).name(), self.scope.app)
    }

    /// What to do when the server says that an approval is needed.
    pub(super) fn how_to_get_approval(&self) -> String {
        format!(
            "Ask for one:       quell contain request-approval --app {app} --reason … (same target)\n\
             Somebody else:     quell contain approve APPROVAL --reason …\n\
             Then:              quell contain apply shutdown --app {app} --approval APPROVAL \
             --reason …",
            app = self.scope.app
        )
    }
}

impl Scope {
    /// The body of the request for a measure of `level`.
    pub(super) async fn body(&self, client: &Client, level: Level) -> Result<Value, Failure> {
        self.check(level)?;
        let incident = match &self.incident {
            Some(name) => Some(incident_id(client, name).await?),
            None => None,
        };
        Ok(json!({
            "application": self.app,
            "target": self.target.target(&self.pattern),
            "effect": level.effect(&self.degrade),
            "reason": self.reason,
            "incident": incident,
            "minutes": self.minutes,
        }))
    }

    /// Refuses flags that would be ignored.
    fn check(&self, level: Level) -> Result<(), Failure> {
        let DegradeArgs { keep_tools, max_tokens, keep_messages, no_preamble } = &self.degrade;
        let degrades =
            *keep_tools || *no_preamble || max_tokens.is_some() || keep_messages.is_some();
        if degrades && level != Level::Degrade {
            return Err(Failure::usage(
                "--keep-tools, --max-tokens, --keep-messages and --no-preamble go with degrade only",
            ));
        }
        let patterned = self.target.pattern.is_some() || self.target.regex.is_some();
        if (self.pattern.sample.is_some() || self.pattern.direction.is_some()) && !patterned {
            return Err(Failure::usage("--sample and --direction go with --pattern or --regex"));
        }
        Ok(())
    }
}

impl Level {
    fn effect(self, args: &DegradeArgs) -> Effect {
        match self {
            Self::Restrict => Effect::Restrict,
            Self::Fallback => Effect::Fallback,
            Self::Shutdown => Effect::Shutdown,
            Self::Degrade => {
                let default = Degradation::default();
                let limits = Degradation {
                    remove_tools: !args.keep_tools,
                    max_tokens: args.max_tokens.or(default.max_tokens),
                    keep_messages: args.keep_messages.or(default.keep_messages),
                    strict_preamble: !args.no_preamble,
                };
                Effect::Degrade { limits }
            }
        }
    }
}

impl TargetArgs {
    fn target(&self, args: &PatternArgs) -> Target {
        let Self { user, session, address, key, tool, model, upstream, pattern, regex } =
            self.clone();
        let text = |text, regex| Target::Pattern {
            pattern: TextPattern {
                text,
                regex,
                directions: args.direction.into_iter().collect(),
                sample: args.sample.clone(),
            },
        };
        None.or(user.map(|user| Target::User { user }))
            .or(session.map(|session| Target::Session { session }))
            .or(address.map(|address| Target::Address { address }))
            .or(key.map(|key| Target::ApiKey { key }))
            .or(tool.map(|tool| Target::Tool { tool }))
            .or(model.map(|model| Target::Model { model }))
            .or(upstream.map(|upstream| Target::Upstream { upstream }))
            .or(pattern.map(|pattern| text(pattern, false)))
            .or(regex.map(|regex| text(regex, true)))
            .unwrap_or(Target::Application)
    }
}

/// The id of the incident called `name`, a number or an id.
pub(crate) async fn incident_id(client: &Client, name: &str) -> Result<String, Failure> {
    if name.starts_with("inc_") {
        return Ok(name.to_owned());
    }
    let detail = client.get(&format!("/api/v1/incidents/{}", segment(name))).await?;
    Ok(output::cell(&detail, "/incident/id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        wanted: Wanted,
    }

    fn parse(line: &str) -> Result<Wanted, String> {
        let words = std::iter::once("x").chain(line.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let level = line.wanted.level;
        line.wanted.scope.check(level).map_err(|failure| failure.to_string())?;
        Ok(line.wanted)
    }

    #[test]
    fn flags_become_measures() {
        for (line, words, wide) in [
            ("restrict --app a --user u --reason r", "restrict user u of a", false),
            ("1 --app a --key k --reason r", "restrict key k of a", false),
            ("degrade --app a --max-tokens 50 --reason r", "degrade everything of a", true),
            (
                "restrict --app a --regex x+ --sample xx --reason r",
                "restrict pattern \"x+\" of a",
                false,
            ),
            ("shutdown --app a --model m --reason r", "shutdown model m of a", true),
        ] {
            let wanted = parse(line).unwrap();
            assert_eq!((wanted.in_words().as_str(), wanted.is_wide()), (words, wide), "{line}");
        }
    }

    #[test]
    fn flags_that_contradict_or_would_be_ignored_are_refused() {
        for (line, why) in [
            ("restrict --app a --user u --session s --reason r", "cannot be used with"),
            ("restrict --app a --regex x+ --reason r", "--sample"),
            ("restrict --app a --user u", "--reason"),
            ("restrict --app a --max-tokens 5 --reason r", "degrade only"),
            ("restrict --app a --user u --sample x --reason r", "--pattern or --regex"),
            ("stop --app a --reason r", "invalid value"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
