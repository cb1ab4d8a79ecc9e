//! `quell demo`: the main job, end to end, in one process on a temporary folder. Real sockets, the
//! range as the model, an attack that becomes contained incidents.

mod cast;
mod story;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use quell_range::campaign::{self, CampaignOptions, CampaignReport, Progress};

use crate::exit::Failure;
use crate::serve::World;
use crate::{lifecycle, output};
use cast::Cast;
use story::Narrator;
use summary::Summary;

/// `quell demo`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// End after the campaign instead of staying up.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Everything random comes from here.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Multiplies the honest users, 1 to 20.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) scale: u32,
    /// Folder with text corpora to draw further attacks and honest requests from.
    #[arg(long, env = "QUELL_CORPORA", value_name = "DIR")]
    pub(crate) corpora: Option<PathBuf>,
    /// Port of the gateway; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) gateway_port: u16,
    /// Port of the console; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) console_port: u16,
}

/// Plays the demo.
pub(crate) async fn run(args: &DemoArgs, json: bool) -> Result<(), Failure> {
    let world = World::new();
    let narrator = Narrator::new(json, world.clock.clone());
    let stop = lifecycle::stop_on_signals()?;
    narrator.say("starting: a vulnerable model (the range), a gateway and the control plane");
    let cast = Cast::assemble(args, &world).await?;
    narrator.say(&format!("gateway {}   console {}", cast.gateway_url(), cast.console_url()));
    let plan = campaign::plan(args.seed, &options(args))
        .map_err(|error| Failure::error(error.to_string()))?;
    let target = cast.target(&plan).await?;
    narrator.say(&format!("sending {} requests of honest users and attackers", plan.len()));
    let watching = tokio::spawn(narrator.clone().watch(cast.control().clone()));
    let tick = |progress: Progress<'_>| narrator.tick(progress.done, progress.total);
    let report = tokio::select! {
        report = campaign::run(&plan, &target, &world.clock, &tick) => report,
        () = stop.cancelled() => return Ok(()),
    };
    let report = report.map_err(|error| Failure::error(error.to_string()))?;
    narrator.finish_bar();
    let summary = aftermath(&cast, &narrator, &report).await?;
    watching.abort();
    output::show(json, &summary.json(), |_| summary.text())?;
    if args.exit {
        cast.end().await;
        return summary.verdict();
    }
    narrator.say(&cast.invitation());
    stop.cancelled().await;
    cast.end().await;
    Ok(())
}

fn options(args: &DemoArgs) -> CampaignOptions {
    let corpora = args.corpora.clone().filter(|dir| dir.join("detection").is_dir());
    CampaignOptions { scale: args.scale, corpora, ..CampaignOptions::default() }
}

/// What a person on call does once the dust settles: applies what was proposed, waits for proof,
/// checks the evidence.
async fn aftermath(
    cast: &Cast,
    narrator: &Narrator,
    report: &CampaignReport,
) -> Result<Summary, Failure> {
    cast.wait_until_read(Duration::from_secs(15)).await?;
    narrator.say("the person on call applies what the policy only proposed");
    for measure in cast.apply_proposals().await? {
        narrator.say(&format!("  applied: {measure}"));
    }
    cast.wait_until_verified(Duration::from_secs(20)).await?;
    if let Some(title) = cast.label_one().await? {
        narrator.say(&format!("  labelled as confirmed: {title}"));
    }
    Summary::gather(cast, report).await
}
