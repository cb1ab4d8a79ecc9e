//! What came of the attempts, for people and as JSON.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use super::adaptive::Outcome;

/// What became of one attempt at one guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Stopped,
    /// Stopped, and the refusal names what was found.
    Named,
    Passed,
    /// Neither refused nor forwarded: an error of the guard itself, with this status.
    Failed(u16),
    NotApplicable,
}

/// One attempt at every guard.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub class: &'static str,
    pub name: String,
    pub harmless: bool,
    /// In the order of the guards.
    pub verdicts: Vec<Verdict>,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub peers: Vec<String>,
    pub lines: Vec<Line>,
    pub adaptive: Vec<Outcome>,
}

impl Verdict {
    fn stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Named)
    }

    fn shown(self) -> String {
        match self {
            Self::Stopped => "stopped".into(),
            Self::Named => "stopped, named".into(),
            Self::Passed => "PASSED".into(),
            Self::Failed(status) => format!("error {status}"),
            Self::NotApplicable => "-".into(),
        }
    }
}

impl Report {
    /// Attacks that got past the first guard.
    pub(crate) fn past_the_first(&self) -> usize {
        let attacks = self.lines.iter().filter(|line| !line.harmless);
        attacks.filter(|line| line.verdicts.first() == Some(&Verdict::Passed)).count()
    }

    pub(crate) fn print(&self) {
        let head = row(self.peers.iter());
        println!("{:<20} {:<36}{head}", "class", "attempt");
        for line in &self.lines {
            let shown = row(line.verdicts.iter().map(|verdict| verdict.shown()));
            println!("{:<20} {:<36}{shown}", line.class, line.name);
        }
        println!("\nattacks stopped, by class{:<32}{head}", "");
        for (class, counts) in self.by_class() {
            println!("{class:<57}{}", row(counts.iter().map(|(n, of)| format!("{n}/{of}"))));
        }
        println!("{:<57}{}", "~ harmless twins refused", row(self.harmless_refused().iter()));
        println!("\nadaptive attacker: sees only refusals, against the shipped content");
        for outcome in &self.adaptive {
            println!("{outcome}");
        }
    }

    /// Attacks stopped and tried, for every guard.
    fn by_class(&self) -> BTreeMap<&str, Vec<(usize, usize)>> {
        let mut classes: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| !line.harmless) {
            for class in [line.class, "~ all attacks"] {
                let counts = classes.entry(class).or_insert_with(|| vec![(0, 0); self.peers.len()]);
                for (count, verdict) in counts.iter_mut().zip(&line.verdicts) {
                    count.0 += usize::from(verdict.stopped());
                    count.1 += usize::from(*verdict != Verdict::NotApplicable);
                }
            }
        }
        classes
    }

    fn harmless_refused(&self) -> Vec<String> {
        let harmless: Vec<&Line> = self.lines.iter().filter(|line| line.harmless).collect();
        let refused = |peer: usize| {
            let stopped = |line: &&&Line| line.verdicts.get(peer).is_some_and(|v| v.stopped());
            harmless.iter().filter(stopped).count()
        };
        (0..self.peers.len()).map(|peer| format!("{}/{}", refused(peer), harmless.len())).collect()
    }
}

fn row(cells: impl Iterator<Item = impl Display>) -> String {
    cells.map(|cell| format!("{cell:>18}")).collect::<Vec<_>>().concat()
}
