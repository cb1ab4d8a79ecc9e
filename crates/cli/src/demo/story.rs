//! What the demo tells while it happens, on standard error.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quell_control::{Access, Control};
use quell_domain::clock::SharedClock;
use quell_store::{IncidentFilter, MeasureFilter, PageRequest};

/// How often the narrator looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells the story. Clones share one progress bar.
#[derive(Clone)]
pub(super) struct Narrator {
    quiet: bool,
    bar: ProgressBar,
    clock: SharedClock,
    begun: Duration,
}

impl Narrator {
    /// Quiet where the output is for programs.
    pub(super) fn new(quiet: bool, clock: SharedClock) -> Self {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        });
        if let Ok(style) =
            ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {pos}/{len} requests")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { quiet, bar, begun: clock.ticks(), clock }
    }

    /// One line, with the seconds since the start.
    pub(super) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        let at = self.clock.ticks().saturating_sub(self.begun).as_secs_f64();
        self.bar.suspend(|| crate::output::note(&format!("{at:6.1} s  {text}")));
    }

    /// Moves the progress bar.
    pub(super) fn tick(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }

    /// Takes the progress bar away.
    pub(super) fn finish_bar(&self) {
        self.bar.finish_and_clear();
    }

    /// Says what opens, grows and is contained, until aborted.
    pub(super) async fn watch(self, control: Control) {
        let mut incidents = HashMap::new();
        let mut measures = HashMap::new();
        loop {
            if self.look(&control, &mut incidents, &mut measures).await.is_err() {
                self.say("the control plane does not answer");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(
        &self,
        control: &Control,
        incidents: &mut HashMap<String, String>,
        measures: &mut HashMap<String, String>,
    ) -> Result<(), quell_control::Refused> {
        let access = Access::system();
        let page = PageRequest::first(100);
        for incident in control.incidents(&access, &IncidentFilter::default(), &page).await?.items {
            let now = format!("{} {}", incident.severity, incident.state);
            let before = incidents.insert(incident.number.clone(), now.clone());
            if before.as_ref() != Some(&now) {
                let verb = if before.is_none() { "opened" } else { "is now" };
                self.say(&format!("{} {verb}: {now}, {}", incident.number, incident.title));
            }
        }
        for measure in control.measures(&access, &MeasureFilter::default(), &page).await?.items {
            let now = measure.state.as_str().to_owned();
            let before = measures.insert(measure.id.to_string(), now.clone());
            if before.as_ref() != Some(&now) {
                self.say(&format!("measure {now}: {}", super::cast::words(&measure)));
            }
        }
        Ok(())
    }
}
