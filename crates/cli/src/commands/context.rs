//! What every command is given: the flags that all of them take, and what follows from them.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::client::{Client, Connection};
use crate::config::{Config, LogFormat};
use crate::exit::Failure;
use crate::output;

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Globals {
    /// Settings file; without it the defaults of `quell config default` hold.
    #[arg(long, env = "QUELL_CONFIG", global = true, help_heading = HEADING, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print JSON, errors included.
    #[arg(long, global = true, help_heading = HEADING)]
    pub(crate) json: bool,
    /// Do not ask before disruptive changes.
    #[arg(long, short, global = true, help_heading = HEADING)]
    pub(crate) yes: bool,
    /// Log level on standard error: error, warn, info, debug, trace.
    #[arg(long, global = true, help_heading = HEADING, value_name = "LEVEL", value_parser = LEVELS)]
    pub(crate) log: Option<String>,
    /// Log format.
    #[arg(long, global = true, help_heading = HEADING, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// Above the flags of every command, below its own.
pub(crate) const HEADING: &str = "Common options";

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What a command works with.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The flags.
    pub(crate) globals: Globals,
}

impl Context {
    /// The settings. Read only by commands that need them: a broken file must not keep
    /// `rules lint` from working.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Config::load(self.globals.config.as_deref())
            .map_err(|error| Failure::usage(format!("{error:#}")))
    }

    /// A client of the control API.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let config = self.config()?;
        Client::new(&self.globals.connection, &config.data_dir, &config.local_url())
    }

    /// Prints `value` as JSON with `--json`, else as `people` puts it.
    pub(crate) fn show(
        &self,
        value: &Value,
        people: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        output::show(self.globals.json, value, people)
    }

    /// Prints that something is done: `value` with `--json`, else `text`.
    pub(crate) fn done(&self, value: &Value, text: &str) -> Result<(), Failure> {
        self.show(value, |_| text.to_owned())
    }

    /// Asks before a disruptive change, where there is somebody to ask.
    pub(crate) fn confirm(&self, what: &str) -> Result<(), Failure> {
        if self.globals.yes || !std::io::stdin().is_terminal() {
            return Ok(());
        }
        let mut out = std::io::stderr().lock();
        write!(out, "{what} Continue? [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::error("nothing was changed"))
    }
}
