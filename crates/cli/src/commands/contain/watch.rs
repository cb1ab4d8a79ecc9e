//! Waits until a measure got where it should, and says how far it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::client::Client;
use crate::commands::Context;
use crate::exit::Failure;
use crate::output;

const POLL: Duration = Duration::from_millis(200);

/// Whether to wait, and how long.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Waiting {
    /// Wait until it is verified (or lifted); exit code 5 if it is not.
    #[arg(long)]
    wait: bool,
    /// Longest wait, seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", requires = "wait")]
    timeout: u32,
}

impl Waiting {
    /// Whether there was a `--wait`.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wait
    }
}

/// Where a measure should get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Probes met the intended treatment.
    Verified,
    /// Probes pass again.
    Lifted,
}

impl Goal {
    const fn state(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Lifted => "lifted",
        }
    }

    /// How a measure in `state` did: reached, out of reach, or not yet.
    fn judge(self, state: &str) -> Option<bool> {
        match (self, state) {
            (Self::Verified, "verified") | (Self::Lifted, "lifted" | "expired") => Some(true),
            (_, "failed") | (Self::Verified, "lifting" | "lifted" | "expired" | "rejected") => {
                Some(false)
            }
            _ => None,
        }
    }
}

/// Prints the measure in `made`, after waiting for it if wanted.
pub(super) async fn finish(
    cx: &Context,
    client: &Client,
    made: &Value,
    waiting: &Waiting,
    goal: Goal,
) -> Result<(), Failure> {
    let id = output::cell(made, "/measure/id");
    if !waiting.wait {
        return cx.show(made, |made| {
            let state = output::cell(made, "/measure/state");
            format!("{id} {state}; `quell contain show {id}` says how far it is")
        });
    }
    let (detail, reached) = watch(client, &id, waiting.timeout, goal).await?;
    cx.show(&detail, super::shown)?;
    if reached {
        return Ok(());
    }
    let state = output::cell(&detail, "/measure/state");
    Err(Failure::negative(format!(
        "{id} is {state}, not {}, after {} s at most; the probes above say why, `quell doctor` \
         checks the gateways",
        goal.state(),
        waiting.timeout
    )))
}

/// The measure once it reached `goal`, cannot any more, or the time is over.
async fn watch(
    client: &Client,
    id: &str,
    seconds: u32,
    goal: Goal,
) -> Result<(Value, bool), Failure> {
    let bar = spinner();
    let polls = u64::from(seconds) * 1_000 / POLL.as_millis() as u64;
    let mut said = String::new();
    for poll in 0.. {
        let detail = client.get(&super::at(id, "")).await?;
        let state = output::cell(&detail, "/measure/state");
        if state != said {
            if bar.is_hidden() {
                output::note(&format!("{id} {state}"));
            }
            bar.set_message(format!("{id} {state}"));
            said.clone_from(&state);
        }
        if let Some(reached) = goal.judge(&state) {
            bar.finish_and_clear();
            return Ok((detail, reached));
        }
        if poll >= polls {
            bar.finish_and_clear();
            return Ok((detail, false));
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Failure::error("the wait ended without an answer"))
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(POLL);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_where_it_should() {
        for (goal, state, judged) in [
            (Goal::Verified, "requested", None),
            (Goal::Verified, "acknowledged", None),
            (Goal::Verified, "verified", Some(true)),
            (Goal::Verified, "failed", Some(false)),
            (Goal::Verified, "lifted", Some(false)),
            (Goal::Lifted, "lifting", None),
            (Goal::Lifted, "lifted", Some(true)),
            (Goal::Lifted, "failed", Some(false)),
        ] {
            assert_eq!(goal.judge(state), judged, "{goal:?} {state}");
        }
    }
}
