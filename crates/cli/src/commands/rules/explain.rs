//! `quell rules explain`: what a rule looks for and what happened to it, or why a text matches.

use std::path::PathBuf;

use quell_detection::{Budget, Context as Seen, Findings, PatternSet, RuleInfo, RuleSet};
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;
use quell_domain::rule::Direction;
use serde_json::{Map, Value, json};

use super::{PATH, Source, compiled, files};
use crate::client::segment;
use crate::commands::Context;
use crate::exit::Failure;
use crate::output;

/// Bytes × passes one text may cost.
const WORK: u64 = 256 << 20;
/// Matched stretches shown.
const STRETCHES: usize = 20;

/// `quell rules explain`
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The rule's id.
    #[arg(required_unless_present_any = ["text", "text_file"])]
    rule: Option<String>,
    /// Offline: say which facts and rules this text raises. With a rule, why it matched or not.
    #[arg(long, conflicts_with = "text_file")]
    text: Option<String>,
    /// Like --text, from a file; - is standard input.
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// Whose text it is: user, assistant, tool, tool_definition, system.
    #[arg(long, default_value = "user")]
    role: Role,
    #[command(flatten)]
    source: Source,
}

/// Runs the command.
pub(super) async fn run(cx: &Context, args: ExplainArgs) -> Result<(), Failure> {
    let text = match (&args.text, &args.text_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) if path.as_os_str() == "-" => {
            Some(std::io::read_to_string(std::io::stdin())?)
        }
        (None, Some(path)) => Some(files::text(path)?),
        (None, None) => None,
    };
    if let Some(text) = text {
        let own = args.source.files()?;
        let found = about_text(&compiled(&own)?, &text, args.role, args.rule.as_deref())?;
        return cx.show(&found, shown_text);
    }
    let rule = args.rule.unwrap_or_default();
    let missing = || Failure::usage(format!("there is no rule {rule:?}; see `quell rules list`"));
    let view = if args.source.is_offline() {
        let set = compiled(&args.source.files()?)?;
        let info = set.rule(&rule).ok_or_else(missing)?;
        let facts: Map<String, Value> = set
            .facts()
            .filter(|(fact, _)| info.rests_on(fact))
            .map(|(fact, meaning)| (fact.to_owned(), json!(meaning)))
            .collect();
        json!({
            "info": info, "shipped_mode": info.mode, "setting": null, "facts": facts,
            "examples": info.examples, "filters": [], "history": [],
        })
    } else {
        let found = cx.client()?.get(&format!("{PATH}/{}", segment(&rule))).await;
        found
            .map_err(|error| if error.problem() == Some("not_found") { missing() } else { error })?
    };
    cx.show(&view, shown_rule)
}

/// Everything the rules say about a text.
fn about_text(
    set: &RuleSet,
    text: &str,
    speaker: Role,
    rule: Option<&str>,
) -> Result<Value, Failure> {
    let direction = if speaker == Role::Assistant { Direction::Output } else { Direction::Input };
    let found = judged(set, text, speaker, direction);
    let facts: Vec<&str> = found.facts.iter().map(String::as_str).collect();
    let asked: Vec<&RuleInfo> = set.rules_asked(direction, facts.iter().copied()).collect();
    let verdict = |info: &RuleInfo| {
        let signal = found.signals.iter().find(|signal| signal.rule == info.id);
        let present: Vec<&&str> = facts.iter().filter(|fact| info.rests_on(fact)).collect();
        json!({
            "rule": info.id, "matched": signal.is_some(), "mode": info.mode, "effect": info.effect,
            "direction": info.direction, "present": present, "rests_on": info.facts,
            "suppressed_by": signal.and_then(|signal| signal.suppressed_by.clone()),
        })
    };
    let rules: Vec<Value> = match rule {
        Some(rule) => {
            let info = set.rule(rule).ok_or_else(|| {
                Failure::usage(format!("there is no rule {rule:?}; see `quell rules list`"))
            })?;
            vec![verdict(info)]
        }
        None => asked.iter().map(|info| verdict(info)).collect(),
    };
    let spans = found.signals.iter().flat_map(|signal| &signal.spans);
    let mut stretches: Vec<Value> = Vec::new();
    for span in spans {
        let said = text.get(span.start..span.end).unwrap_or_default();
        let stretch =
            json!({"fact": span.fact, "start": span.start, "end": span.end, "text": said});
        if !stretches.contains(&stretch) && stretches.len() < STRETCHES {
            stretches.push(stretch);
        }
    }
    Ok(json!({
        "direction": direction, "role": speaker, "facts": facts, "rules": rules, "spans": stretches,
        "not_evaluated": found.not_evaluated,
    }))
}

fn judged(set: &RuleSet, text: &str, role: Role, direction: Direction) -> Findings {
    let (principal, parameters) = (Principal::default(), Map::new());
    let context = Seen {
        application: "explain",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: "",
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let field =
        TextField { field: "/text".into(), role, part: "content".into(), text: text.to_owned() };
    let (none, mut budget, fields) = (PatternSet::empty(), Budget::new(WORK), [field]);
    // Nothing is recorded, so any id does.
    let id = quell_domain::InteractionId::new(&quell_domain::SystemIds::new(std::sync::Arc::new(
        quell_domain::SystemClock::new(),
    )));
    match direction {
        Direction::Input => set.inspect_request(&context, &none, &fields, &mut budget, id, None),
        Direction::Output => set.inspect_response(&context, &none, &fields, &mut budget, id, &[]),
    }
}

fn shown_text(found: &Value) -> String {
    let columns = [
        ("RULE", "/rule"),
        ("MATCHED", "/matched"),
        ("MODE", "/mode"),
        ("EFFECT", "/effect"),
        ("FACTS PRESENT", "/present"),
        ("RESTS ON", "/rests_on"),
    ];
    let rules = output::rows(found, "/rules");
    let mut parts = vec![output::list(found, &[("facts", "/facts")])];
    parts.push(if rules.is_empty() {
        "no rule waits for any of these facts".into()
    } else {
        output::table(rules, &columns)
    });
    let spans = output::rows(found, "/spans");
    if !spans.is_empty() {
        let columns = [("FACT", "/fact"), ("FROM", "/start"), ("TO", "/end"), ("TEXT", "/text")];
        parts.push(output::table(spans, &columns));
    }
    parts.join("\n\n")
}

const ROWS: [(&str, &str); 20] = [
    ("id", "/info/id"),
    ("title", "/info/title"),
    ("means", "/info/description"),
    ("kind", "/info/kind"),
    ("severity", "/info/severity"),
    ("direction", "/info/direction"),
    ("effect", "/info/effect"),
    ("mode", "/info/mode"),
    ("ships as", "/shipped_mode"),
    ("if not evaluated", "/info/fail"),
    ("changed by", "/setting/actor"),
    ("because", "/setting/reason"),
    ("runs", "/info/runs"),
    ("counts others", "/info/correlation"),
    ("facts", "/info/facts"),
    ("false positives", "/info/false_positives"),
    ("references", "/references"),
    ("file", "/info/pack"),
    ("sigma id", "/info/sigma_id"),
    ("digest", "/info/digest"),
];

/// A rule for people, with its framework references in words.
fn shown_rule(view: &Value) -> String {
    let reference = |reference: &Value| {
        let [framework, version, id] =
            ["/framework", "/version", "/id"].map(|place| output::cell(reference, place));
        json!(format!("{framework} {version} {id}"))
    };
    let mut listed = view.clone();
    let references = output::rows(view, "/info/taxonomy").iter().map(reference).collect();
    listed["references"] = Value::Array(references);
    let mut parts = vec![output::list(&listed, &ROWS)];
    for (name, place) in [("matches", "/examples/positive"), ("ignores", "/examples/negative")] {
        let examples = output::rows(view, place);
        if !examples.is_empty() {
            let lines: Vec<String> = examples
                .iter()
                .map(|example| match example.as_str() {
                    Some(text) => format!("  {}", output::plain(text)),
                    None => format!("  {}", output::plain(&example.to_string())),
                })
                .collect();
            parts.push(format!("{name}:\n{}", lines.join("\n")));
        }
    }
    let filters = output::rows(view, "/filters");
    if !filters.is_empty() {
        parts.push(output::table(filters, &super::FILTERS));
    }
    let history = output::rows(view, "/history");
    if !history.is_empty() {
        let columns = [
            ("AT", "/at"),
            ("WHAT", "/kind"),
            ("WHO", "/actor"),
            ("FORCED", "/forced"),
            ("JUDGED", "/backtest/judged"),
            ("MATCHED", "/backtest/matched"),
            ("WHY", "/reason"),
        ];
        parts.push(output::table(history, &columns));
    }
    parts.join("\n\n")
}
