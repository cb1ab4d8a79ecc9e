//! `quell range traffic`: hours of simulated traffic, and what was made of it.

use std::path::PathBuf;
use std::sync::Arc;

use quell_detection::RuleSet;
use quell_range::traffic::{Plan, Report, Scenario, Texts, report};
use serde_json::json;

use super::Context;
use crate::exit::Failure;

/// `quell range traffic`
#[derive(Debug, clap::Args)]
pub(crate) struct TrafficArgs {
    /// The part of the detection corpora that all texts come from, e.g.
    /// `corpora/detection/dev_test`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Hours of traffic.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(i64).range(1..=168))]
    hours: i64,
    /// Requests a second of ordinary users.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Everything random comes from here.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Four runs: ordinary traffic alone, attacks by text at 0.2 % and 2 %, attacks by volume at 10 %.
pub(super) fn run(cx: &Context, args: &TrafficArgs) -> Result<(), Failure> {
    if !(0.01..=200.0).contains(&args.rate) {
        return Err(Failure::usage("--rate is 0.01 to 200 requests a second".to_owned()));
    }
    let rules = RuleSet::embedded().map_err(|error| Failure::error(error.to_string()))?;
    let rules = Arc::new(rules);
    let texts = Texts::read(&args.data).map_err(|error| Failure::error(error.to_string()))?;
    let runs: [(&str, f64, &[Scenario]); 4] = [
        ("ordinary traffic alone", 0.0, &[]),
        ("attacks by text, 0.2 % of requests", 0.002, &Scenario::TEXT),
        ("attacks by text, 2 % of requests", 0.02, &Scenario::TEXT),
        ("attacks by volume, 10 % of requests", 0.1, &Scenario::VOLUME),
    ];
    let (mut reports, mut text) = (Vec::new(), Vec::new());
    for (name, base_rate, scenarios) in runs {
        let plan = Plan { hours: args.hours, rate: args.rate, base_rate, scenarios };
        let made = report(&rules, &texts, &plan, args.seed);
        text.push(table(name, &made));
        reports.push(json!({"run": name, "report": made}));
    }
    cx.done(&json!({"runs": reports}), &text.join("\n\n"))
}

fn table(name: &str, made: &Report) -> String {
    let mut lines = vec![
        format!(
            "{name}: seed {}, {} h, {} requests, {} malicious",
            made.seed, made.hours, made.requests, made.malicious
        ),
        format!(
            "  incidents {}, true {}, false for 10,000 sessions {:.2}; live signals an hour in \
             ordinary sessions {:.1}; stopped at least once: people {:.2} %, programs {:.2} %",
            made.incidents,
            made.true_incidents,
            made.false_incidents_per_10k,
            made.false_signals_an_hour,
            100.0 * made.people_stopped,
            100.0 * made.services_stopped
        ),
        format!(
            "  {:26} {:>8} {:>9} {:>8} {:>12} {:>8} {:>13} {:>9}",
            "scenario",
            "sessions",
            "malicious",
            "alarmed",
            "shadow only",
            "stopped",
            "before alarm",
            "seconds"
        ),
    ];
    for (scenario, row) in &made.scenarios {
        let name = serde_json::to_value(scenario).ok();
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        lines.push(format!(
            "  {name:26} {:>8} {:>9} {:>8} {:>12} {:>8} {:>13.1} {:>9.0}",
            row.sessions,
            row.malicious,
            row.alarmed,
            row.shadow_only,
            row.stopped,
            row.before_alarm,
            row.seconds_to_alarm
        ));
    }
    if !made.false_rules.is_empty() {
        let rules = made.false_rules.iter().map(|(rule, count)| format!("{rule} {count}"));
        lines.push(format!("  rules of false incidents: {}", rules.collect::<Vec<_>>().join(", ")));
    }
    let rules = made.rules.iter().map(|(rule, [plain, attack])| format!("{rule} {plain}/{attack}"));
    let rules: Vec<_> = rules.collect();
    if !rules.is_empty() {
        lines.push(format!("  rules (ordinary/attack sessions): {}", rules.join(", ")));
    }
    lines.join("\n")
}
