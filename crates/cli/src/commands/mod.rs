//! One file per noun. Every command is a call of the API, or works offline on files.

mod account;
mod app;
mod baselines;
mod config;
mod contain;
mod context;
mod detect;
mod doctor;
mod edit;
mod evidence;
mod incident;
mod interactions;
mod key;
mod model;
mod moment;
mod range;
mod release;
mod rules;
mod signal;
mod spend;
mod token;
mod upstream;

pub(crate) use context::{Context, Globals, HEADING};

use clap::{CommandFactory, Subcommand};

use crate::exit::Failure;
use crate::output;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch an attack on a real running gateway become contained incidents; needs nothing.
    Demo(crate::demo::DemoArgs),
    /// Run gateway and control.
    Serve(crate::serve::ServeArgs),
    /// Print, check or explain the process settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Check this machine and the running processes; says what to do about each finding.
    Doctor(doctor::DoctorArgs),
    /// The applications whose traffic goes through the gateway.
    #[command(subcommand)]
    App(app::AppCommand),
    /// The model endpoints that applications use.
    #[command(subcommand)]
    Upstream(upstream::UpstreamCommand),
    /// The keys that clients of the gateway present.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The cases: list, declare, move, staff, annotate, close.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// Containment: apply, propose, approve, lift, and see how far each measure got.
    #[command(subcommand)]
    Contain(contain::ContainCommand),
    /// What went through the gateways.
    #[command(subcommand)]
    Interactions(interactions::InteractionsCommand),
    /// What detectors found, and whether they were right.
    #[command(subcommand)]
    Signal(signal::SignalCommand),
    /// What people said about signals: lists, figures by rule, rows to train on.
    #[command(subcommand)]
    Feedback(signal::FeedbackCommand),
    /// Judge texts from a file exactly as the gateway would. Offline.
    Detect(detect::DetectArgs),
    /// Detection rules and content.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// The classifier's model: train, evaluate, calibrate.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// What is normal for each application, and what left it.
    #[command(subcommand)]
    Baselines(baselines::BaselinesCommand),
    /// What was preserved; `verify` needs no server.
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Run the simulated vulnerable LLM application.
    Range(range::RangeArgs),
    /// Tokens of the control API.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Accounts of people.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Print shell completions.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it runs until stopped: then the config's log level holds, else only warnings show.
    pub(crate) const fn is_server(&self) -> bool {
        matches!(self, Self::Range(_) | Self::Serve(_))
    }

    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::Demo(args) => crate::demo::run(&args, cx.globals.json).await,
            Self::Serve(args) => {
                crate::serve::run(&args, &cx.config()?, cx.globals.config.as_ref()).await
            }
            Self::Config(command) => config::run(cx, &command),
            Self::Doctor(args) => doctor::run(cx, &args).await,
            Self::App(command) => app::run(cx, command).await,
            Self::Upstream(command) => upstream::run(cx, command).await,
            Self::Key(command) => key::run(cx, command).await,
            Self::Incident(command) => incident::run(cx, command).await,
            Self::Contain(command) => contain::run(cx, command).await,
            Self::Interactions(command) => interactions::run(cx, command).await,
            Self::Signal(command) => signal::run(cx, command).await,
            Self::Feedback(command) => signal::feedback(cx, command).await,
            Self::Detect(args) => detect::run(cx, &args),
            Self::Rules(command) => rules::run(cx, command).await,
            Self::Baselines(command) => baselines::run(cx, command).await,
            Self::Model(command) => model::run(cx, command).await,
            Self::Evidence(command) => evidence::run(cx, command).await,
            Self::Range(args) => range::run(cx, args).await,
            Self::Token(command) => token::run(cx, command).await,
            Self::Account(command) => account::run(cx, command).await,
            Self::Completions { shell } => completions(shell),
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::Cli::command(), "quell", &mut script);
    output::raw(&script)
}
