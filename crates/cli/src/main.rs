//! The `quell` command: `commands/` talks to a running server or works on files, `serve` and `demo`
//! run one.

mod client;
mod commands;
mod config;
mod demo;
mod exit;
mod lifecycle;
mod local;
mod output;
mod serve;
mod supervisor;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::commands::{Command, Context, Globals};
use crate::config::LogFormat;
use crate::exit::Failure;

/// AI incident response: a gateway in front of LLM endpoints that detects, contains and proves,
/// and the control plane with the cases.
#[derive(Debug, Parser)]
#[command(name = "quell", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 something went wrong, 2 called wrongly, 3 the server refused, 4 the server \
cannot be reached, 5 a check came out negative.";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let code = if error.use_stderr() { 2 } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let json = cli.globals.json;
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json {
                output::note(&failure.to_json().to_string());
            } else {
                output::note(&format!("quell: {failure}"));
            }
            ExitCode::from(failure.code())
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let Cli { command, globals } = cli;
    let cx = Context { globals };
    log(&cx, command.is_server())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command.run(&cx))
}

/// Logs go to standard error; standard output is for what was asked for.
fn log(cx: &Context, server: bool) -> Result<(), Failure> {
    let (mut level, mut format) = ("warn".to_owned(), LogFormat::Text);
    if server {
        let config = cx.config()?;
        (level, format) = (config.log, config.log_format);
    }
    let level = cx.globals.log.clone().unwrap_or(level);
    // Libraries stay a step quieter than the product.
    let others = if matches!(level.as_str(), "debug" | "trace") { "info" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},quell={level}"));
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match cx.globals.log_format.unwrap_or(format) {
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            logger.with_ansi(colour).try_init()
        }
        LogFormat::Json => logger.json().try_init(),
    };
    set.map_err(|error| Failure::error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, CommandFactory};

    use super::*;

    /// clap takes two arguments of one id for the same: a command's own would be read as the flag.
    #[test]
    fn no_command_has_an_argument_named_like_a_flag_of_every_command() {
        fn check(command: &Command, common: &[String]) {
            for argument in command.get_arguments() {
                let id = argument.get_id().to_string();
                assert!(!common.contains(&id), "{}: {id}", command.get_name());
            }
            command.get_subcommands().for_each(|inner| check(inner, common));
        }
        let common = Globals::augment_args(Command::new("common"));
        let common: Vec<String> =
            common.get_arguments().map(|argument| argument.get_id().to_string()).collect();
        assert!(common.contains(&"token".to_owned()), "{common:?}");
        Cli::command().get_subcommands().for_each(|command| check(command, &common));
        Cli::command().debug_assert();
    }
}
