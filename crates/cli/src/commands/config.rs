//! `quell config`: the process settings.

use serde_json::json;

use super::Context;
use crate::config::{Config, DEFAULT};
use crate::exit::Failure;
use crate::output;

/// `quell config …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the commented defaults: a starting point for your own file.
    Default,
    /// Check the file given with --config: unknown keys, wrong types, impossible values.
    Check,
    /// Print the settings in force: the defaults with your file on top.
    Show,
}

/// Runs `command`.
pub(crate) fn run(cx: &Context, command: &ConfigCommand) -> Result<(), Failure> {
    let path = cx.globals.config.as_deref();
    match command {
        ConfigCommand::Default if cx.globals.json => show(cx, None),
        ConfigCommand::Default => output::line(DEFAULT.trim_end()),
        ConfigCommand::Check => {
            Config::load(path).map_err(|error| Failure::negative(format!("{error:#}")))?;
            let file = path.map(|path| path.display().to_string());
            let text = match &file {
                Some(file) => format!("{file}: ok"),
                None => "no --config given; the defaults are ok".to_owned(),
            };
            cx.done(&json!({"ok": true, "file": file}), &text)
        }
        ConfigCommand::Show => show(cx, path),
    }
}

fn show(cx: &Context, path: Option<&std::path::Path>) -> Result<(), Failure> {
    let config = Config::load(path).map_err(|error| Failure::usage(format!("{error:#}")))?;
    if cx.globals.json {
        let value = serde_json::to_value(config.shown()).map_err(anyhow::Error::from)?;
        return output::line(&format!("{value:#}"));
    }
    let text = toml::to_string(&config.shown()).map_err(anyhow::Error::from)?;
    output::line(text.trim_end())
}
