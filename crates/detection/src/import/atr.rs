//! Agent Threat Rules (agent-threat-rules, MIT): one YAML document a rule, regexes over named fields.
//!
//! Every rule becomes a Quell rule in shadow mode for each direction it looks at, every condition a
//! pattern. What cannot run in linear time is named, never approximated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quell_domain::rule::Direction;
use quell_domain::snapshot::ContentFile;
use serde::Deserialize;
use serde_json::{Value, json};

use super::regex::{Translated, translate};

/// Examples kept of one rule and kind.
const EXAMPLES: usize = 4;
/// Longest example kept, bytes.
const EXAMPLE_MAX: usize = 2_000;

/// Something of an imported rule that Quell does not take over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// The file.
    pub path: String,
    /// The rule, as its author calls it.
    pub rule: String,
    /// Which condition, from 1; none for the whole rule.
    pub condition: Option<usize>,
    /// Why.
    pub reason: String,
}

/// Translated rules.
#[derive(Debug, Default)]
pub struct AtrImport {
    rules: Vec<Rule>,
    /// Conditions translated.
    pub conditions: usize,
    /// What was not taken over.
    pub refused: Vec<Refused>,
}

#[derive(Debug)]
struct Rule {
    /// Its name in Quell.
    name: String,
    source: Source,
    path: String,
    direction: Direction,
    patterns: Vec<(Translated, &'static [&'static str])>,
    positive: Vec<Value>,
    negative: Vec<Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Source {
    id: String,
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    references: BTreeMap<String, Value>,
    #[serde(default)]
    tags: Tags,
    detection: Detection,
    #[serde(default)]
    test_cases: Cases,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Tags {
    #[serde(default)]
    category: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Detection {
    conditions: Vec<Condition>,
    condition: Value,
    #[serde(default)]
    false_positives: Vec<Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    field: String,
    operator: String,
    value: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Cases {
    #[serde(default)]
    true_positives: Vec<Value>,
    #[serde(default)]
    true_negatives: Vec<Value>,
}

/// Where a field of theirs stands in an exchange of ours: the direction, and whose text.
fn place(field: &str) -> Option<(Direction, &'static [&'static str])> {
    Some(match field {
        "user_input" => (Direction::Input, &["user"]),
        "tool_response" => (Direction::Input, &["tool"]),
        "tool_description" => (Direction::Input, &["tool_definition"]),
        "content" => (Direction::Input, &["user", "tool", "tool_definition"]),
        "agent_output" | "tool_args" => (Direction::Output, &["assistant"]),
        _ => return None,
    })
}

fn kind(category: &str) -> &'static str {
    match category {
        "skill-compromise" => "supply_chain",
        "tool-poisoning" | "privilege-escalation" | "excessive-autonomy" => "tool_misuse",
        "context-exfiltration" => "data_exfiltration",
        "data-poisoning" => "data_poisoning",
        "model-security" => "model_manipulation",
        "model-abuse" => "extraction",
        _ => "prompt_injection",
    }
}

/// Translates documents, each with the path that names it in messages.
pub fn from_atr(documents: &[ContentFile]) -> AtrImport {
    let mut import = AtrImport::default();
    for document in documents {
        match serde_saphyr::from_str::<Source>(&document.text) {
            Ok(source) => import.add(&document.path, &source),
            Err(error) => {
                let reason = error.without_snippet().to_string();
                let reason = reason.lines().next().unwrap_or_default().to_owned();
                import.refuse(&document.path, "", None, format!("it cannot be read: {reason}"));
            }
        }
    }
    import
}

impl AtrImport {
    fn refuse(&mut self, path: &str, rule: &str, condition: Option<usize>, reason: String) {
        let (path, rule) = (path.to_owned(), rule.to_owned());
        self.refused.push(Refused { path, rule, condition, reason });
    }

    fn add(&mut self, path: &str, source: &Source) {
        if source.detection.condition.as_str() != Some("any") {
            let reason = "its condition is not `any`".to_owned();
            return self.refuse(path, &source.id, None, reason);
        }
        let mut by_direction: BTreeMap<Direction, Vec<_>> = BTreeMap::new();
        for (index, condition) in source.detection.conditions.iter().enumerate() {
            match read(condition) {
                Ok((direction, pattern)) => {
                    by_direction.entry(direction).or_default().push(pattern);
                }
                Err(reason) => self.refuse(path, &source.id, Some(index + 1), reason),
            }
        }
        if by_direction.is_empty() {
            return self.refuse(path, &source.id, None, "no condition is left".into());
        }
        let plain: String = source
            .id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .take(48)
            .collect();
        for (direction, patterns) in by_direction {
            self.conditions += patterns.len();
            let name = match direction {
                Direction::Input => plain.clone(),
                Direction::Output => format!("{plain}_output"),
            };
            let role = patterns.first().and_then(|(_, roles)| roles.first()).copied();
            let cases = |cases: &[Value]| -> Vec<Value> {
                let texts = cases.iter().filter_map(text_of).filter(|t| t.len() <= EXAMPLE_MAX);
                texts.map(|text| json!({"role": role, "text": text})).collect()
            };
            self.rules.push(Rule {
                positive: cases(&source.test_cases.true_positives),
                negative: cases(&source.test_cases.true_negatives),
                source: source.clone(),
                path: path.to_owned(),
                name,
                direction,
                patterns,
            });
        }
    }

    /// Rules translated so far.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether nothing was translated.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Positive and negative examples held now.
    pub fn examples(&self) -> (usize, usize) {
        self.rules.iter().fold((0, 0), |(positive, negative), rule| {
            (positive + rule.positive.len(), negative + rule.negative.len())
        })
    }

    /// Takes out the examples that went the wrong way (`failed`: rule, `positive` or `negative`,
    /// number from 1), the rules that match none of their own positive examples, and examples past
    /// a few.
    pub fn keep_proven(&mut self, failed: &[(String, &'static str, usize)]) {
        let mut unproven = Vec::new();
        for rule in &mut self.rules {
            for (list, expected) in
                [(&mut rule.positive, "positive"), (&mut rule.negative, "negative")]
            {
                let mut number = 0;
                list.retain(|_| {
                    number += 1;
                    !failed.iter().any(|(name, kind, n)| {
                        *name == rule.name && *kind == expected && *n == number
                    })
                });
                list.truncate(EXAMPLES);
            }
            if rule.positive.is_empty() {
                unproven.push((rule.path.clone(), rule.source.id.clone(), rule.name.clone()));
            }
        }
        self.rules.retain(|rule| !rule.positive.is_empty());
        for (path, id, name) in unproven {
            let reason = format!("as translated ({name}) it matches none of its own examples");
            self.refuse(&path, &id, None, reason);
        }
    }

    /// The content files: a pattern pack and a rule pack for each category.
    pub fn files(&self) -> Vec<ContentFile> {
        let mut packs: BTreeMap<String, (String, String)> = BTreeMap::new();
        for rule in &self.rules {
            let category = match rule.source.tags.category.as_str() {
                "" => "other".to_owned(),
                category => {
                    category.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
                }
            };
            let (patterns, rules) = packs.entry(category.clone()).or_insert_with(|| {
                let head = format!(
                    "pack: atr-{category}\ndescription: Imported from Agent Threat Rules (MIT).\n\
                     patterns:\n"
                );
                (head, String::new())
            });
            rule.write_patterns(patterns);
            if !rules.is_empty() {
                rules.push_str("---\n");
            }
            rule.write_rule(rules);
        }
        let mut files = Vec::new();
        for (category, (patterns, rules)) in packs {
            let path = |folder: &str| format!("{folder}/atr/{category}.yaml");
            files.push(ContentFile { path: path("patterns"), text: patterns });
            files.push(ContentFile { path: path("rules"), text: rules });
        }
        files
    }
}

fn read(
    condition: &Condition,
) -> Result<(Direction, (Translated, &'static [&'static str])), String> {
    if condition.operator != "regex" {
        return Err(format!("the operator `{}` is not known", condition.operator));
    }
    let (direction, roles) = place(&condition.field)
        .ok_or_else(|| format!("`{}` is no text of an exchange", condition.field))?;
    let source = condition.value.as_str().ok_or("its value is not a text")?;
    Ok((direction, (translate(source)?, roles)))
}

/// The text of a test case, however it is written.
fn text_of(case: &Value) -> Option<&str> {
    ["input", "tool_response", "content", "agent_output", "user_input"]
        .iter()
        .find_map(|key| case.get(key)?.as_str())
        .filter(|text| !text.trim().is_empty())
}

/// A text as one line of YAML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Rule {
    fn fact(&self) -> String {
        format!("atr.{}", self.name)
    }

    fn write_patterns(&self, out: &mut String) {
        for (number, (pattern, roles)) in self.patterns.iter().enumerate() {
            let keywords: Vec<String> = pattern.keywords.iter().map(|word| quoted(word)).collect();
            let _ = write!(
                out,
                "  - id: {fact}.{number}\n    fact: {fact}\n    keywords: [{keywords}]\n    \
                 regex: {source}\n    max_len: {max_len}\n    roles: [{roles}]\n    \
                 directions: [{direction}]\n    exact: {exact}\n",
                fact = self.fact(),
                keywords = keywords.join(", "),
                source = quoted(&pattern.source),
                max_len = pattern.max_len,
                roles = roles.join(", "),
                direction = self.direction,
                exact = pattern.exact,
            );
        }
    }

    fn write_rule(&self, out: &mut String) {
        let source = &self.source;
        let level = match source.severity.as_str() {
            level @ ("critical" | "high" | "medium" | "low" | "informational") => level,
            _ => "medium",
        };
        let author = if source.author.is_empty() { "ATR Community" } else { &source.author };
        let _ = write!(
            out,
            "title: {title}\nname: {name}\nstatus: experimental\ndescription: {description}\n\
             license: MIT\nauthor: {author}\nreferences:\n  - {reference}\n\
             logsource:\n  category: gen_ai\ndetection:\n  selection:\n    quell.fact: {fact}\n  \
             condition: selection\n",
            title = quoted(&source.title),
            name = self.name,
            description = quoted(source.description.trim()),
            author = quoted(author),
            reference = quoted(&format!("Agent Threat Rules {}, {}", source.id, self.path)),
            fact = self.fact(),
        );
        let known = source.detection.false_positives.iter().filter_map(Value::as_str);
        let known: Vec<String> = known.map(|text| format!("  - {}\n", quoted(text))).collect();
        if !known.is_empty() {
            let _ = write!(out, "falsepositives:\n{}", known.concat());
        }
        let _ = write!(
            out,
            "level: {level}\nquell:\n  kind: {kind}\n  mode: shadow\n  effect: signal\n  \
             direction: {direction}\n",
            kind = kind(&source.tags.category),
            direction = self.direction,
        );
        let taxonomy: Vec<String> =
            taxonomy(&source.references).iter().map(|entry| format!("    - {entry}\n")).collect();
        if !taxonomy.is_empty() {
            let _ = write!(out, "  taxonomy:\n{}", taxonomy.concat());
        }
        if !(self.positive.is_empty() && self.negative.is_empty()) {
            out.push_str("  examples:\n");
        }
        for (list, name) in [(&self.positive, "positive"), (&self.negative, "negative")] {
            if !list.is_empty() {
                let items: Vec<String> =
                    list.iter().map(|item| format!("      - {item}\n")).collect();
                let _ = write!(out, "    {name}:\n{}", items.concat());
            }
        }
    }
}

/// Framework references: `AML.T0051 - …`, `LLM01:2025 - …`, `ASI01:2026 - …`.
fn taxonomy(references: &BTreeMap<String, Value>) -> Vec<Value> {
    let mut found = Vec::new();
    for (key, framework) in
        [("mitre_atlas", "mitre-atlas"), ("owasp_llm", "owasp-llm"), ("owasp_agentic", "owasp-asi")]
    {
        for entry in references.get(key).and_then(Value::as_array).into_iter().flatten() {
            let id = entry.as_str().and_then(|text| text.split_whitespace().next());
            let Some(id) = id else { continue };
            let (id, version) = match id.split_once(':') {
                Some((id, version)) => (id, version),
                None if framework == "mitre-atlas" => (id, "unstated"),
                None => continue,
            };
            let entry = json!({"framework": framework, "version": version, "id": id});
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found
}
