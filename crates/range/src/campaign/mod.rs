//! Mixed traffic against a gateway: honest users, and attacks among them.
//!
//! [`plan`] writes down every request beforehand, the same for the same seed; [`run`] sends them
//! over real sockets and reports what became of each. The campaign sees only what a client sees.

mod corpus;
mod plan;
mod reading;
mod report;
mod request;
mod run;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

pub use corpus::CorpusError;
pub use plan::plan;
pub use report::{CampaignReport, Missed, Tally};
pub use run::{CampaignError, Progress, run};
pub use texts::{AttackText, CANARY, SYSTEM_PROMPT, attack_texts};

/// The label of the key that most asserted users share; none of them attacks.
pub const SHARED_KEY: &str = "shared";
/// The label of the key that asserted attackers share with a few honest users: whoever contains
/// the key touches those too.
pub const PARTNER_KEY: &str = "partner";

/// How large the campaign is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignOptions {
    /// Multiplies the honest users, 1 to 20.
    pub scale: u32,
    /// The corpora directory (the one that holds `detection/`), to draw further texts from.
    pub corpora: Option<PathBuf>,
    /// Attacks drawn from the corpora.
    pub corpus_attacks: usize,
    /// Benign texts drawn from the corpora.
    pub corpus_benign: usize,
    /// Over how long the requests are spread, milliseconds.
    pub span_ms: u64,
}

impl Default for CampaignOptions {
    fn default() -> Self {
        Self { scale: 1, corpora: None, corpus_attacks: 60, corpus_benign: 120, span_ms: 18_000 }
    }
}

/// What a step is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Honest users.
    Benign,
    /// A role-play jailbreak that spreads from one user to others.
    Jailbreak,
    /// Attempts to get at the system prompt.
    PromptExtraction,
    /// Planted identifiers on a stream.
    IdentifierLeak,
    /// Requests and tokens beyond measure by one key.
    Flood,
    /// Orders inside a document that a tool returned.
    IndirectInjection,
    /// A link in an answer that carries data away.
    Exfiltration,
    /// Attacks that a rule set is expected to miss.
    Hard,
    /// Attacks drawn from the corpora.
    CorpusAttack,
    /// Benign texts drawn from the corpora.
    CorpusBenign,
}

impl Scenario {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Jailbreak => "jailbreak",
            Self::PromptExtraction => "prompt_extraction",
            Self::IdentifierLeak => "identifier_leak",
            Self::Flood => "flood",
            Self::IndirectInjection => "indirect_injection",
            Self::Exfiltration => "exfiltration",
            Self::Hard => "hard",
            Self::CorpusAttack => "corpus_attack",
            Self::CorpusBenign => "corpus_benign",
        }
    }
}

/// Who sends a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The user's name.
    pub user: String,
    /// The session, sent as `x-quell-session`.
    pub session: String,
    /// Label of the key presented: the user's own name where the key is bound to that user
    /// (authenticated), else [`SHARED_KEY`] or [`PARTNER_KEY`], and the user goes into `x-quell-user`
    /// (asserted).
    pub key: String,
    /// Whether this user means no harm. Also true of users whose document or answer was attacked.
    pub honest: bool,
}

impl Actor {
    /// Whether the key is bound to the user.
    pub fn is_authenticated(&self) -> bool {
        self.key == self.user
    }
}

/// The wire shape of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// OpenAI `/v1/chat/completions`.
    Chat,
    /// OpenAI `/v1/completions`.
    Completions,
    /// OpenAI `/v1/responses`.
    Responses,
    /// Anthropic `/v1/messages`.
    Messages,
}

/// One message of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What the user said.
    User {
        /// The words.
        text: String,
    },
    /// What the model is said to have answered before.
    Assistant {
        /// The words.
        text: String,
    },
    /// A tool call made before.
    ToolCall {
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
    /// What that call returned.
    ToolResult {
        /// The result.
        text: String,
    },
}

/// One request of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// When it is sent, milliseconds after the start.
    pub at_ms: u64,
    /// By whom.
    pub actor: Actor,
    /// What it belongs to.
    pub scenario: Scenario,
    /// In which shape.
    pub surface: Surface,
    /// Whether the answer streams.
    pub stream: bool,
    /// Whether the tools of the range are offered.
    pub tools: bool,
    /// The system prompt.
    pub system: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Longest answer asked for, tokens.
    pub max_tokens: u32,
    /// Whether somebody attacks with this request or through its documents or answer.
    pub is_attack: bool,
    /// The corpus source of the text, if it is drawn from one.
    pub source: Option<String>,
}

/// A key the caller has to supply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNeeded {
    /// The label by which steps name it.
    pub label: String,
    /// The user it must be bound to; none for the shared key.
    pub user: Option<String>,
}

/// Every key the steps name.
pub fn keys_needed(steps: &[Step]) -> Vec<KeyNeeded> {
    let keys: BTreeMap<&str, Option<&str>> = steps
        .iter()
        .map(|step| {
            let actor = &step.actor;
            (actor.key.as_str(), actor.is_authenticated().then_some(actor.user.as_str()))
        })
        .collect();
    keys.into_iter()
        .map(|(label, user)| KeyNeeded { label: label.into(), user: user.map(Into::into) })
        .collect()
}

/// Where the traffic goes.
#[derive(Clone, PartialEq, Eq)]
pub struct CampaignTarget {
    /// Scheme, host and port, e.g. `http://127.0.0.1:8600`.
    pub base_url: String,
    /// What stands before `/v1`, e.g. `/a/shop`; usually empty.
    pub prefix: String,
    /// The text of each key by its label. A label without a key sends none.
    pub keys: BTreeMap<String, String>,
    /// Strings that must not arrive: planted identifiers, canaries.
    pub secrets: Vec<String>,
    /// Requests in flight at once, at least 1.
    pub concurrency: usize,
}

impl std::fmt::Debug for CampaignTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CampaignTarget")
            .field("base_url", &self.base_url)
            .field("prefix", &self.prefix)
            .field("keys", &self.keys.len())
            .field("secrets", &self.secrets.len())
            .field("concurrency", &self.concurrency)
            .finish()
    }
}

impl CampaignTarget {
    /// A target without keys; the canary of the campaign's system prompt must not arrive.
    pub fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            prefix: String::new(),
            keys: BTreeMap::new(),
            secrets: vec![CANARY.to_owned()],
            concurrency: 24,
        }
    }
}

/// What a client saw become of its request. A later one is milder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// No usable answer, for a reason that is nobody's decision.
    Failed,
    /// An error before the first byte, by decision of the gateway.
    Refused,
    /// A stream that ended with an error event.
    Cut,
    /// An answer that no model wrote.
    Fallback,
    /// An answer with spans replaced.
    Redacted,
    /// An answer cut shorter than the client allowed.
    Degraded,
    /// The whole answer.
    Delivered,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepResult {
    /// What the client saw.
    pub treatment: Treatment,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The gateway's reference of the exchange (`x-quell-interaction`).
    pub interaction: Option<String>,
    /// Whether the model's mark of obeyed attacks arrived.
    pub unsafe_arrived: bool,
    /// Whether one of the target's secrets arrived.
    pub secret_arrived: bool,
    /// Characters of text that arrived.
    pub characters: usize,
    /// From sending to the last byte, microseconds.
    pub micros: u64,
}
