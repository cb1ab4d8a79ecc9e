//! What baselines look at in one exchange.

use quell_domain::budget::ModelPrice;
use quell_domain::interaction::{Endpoint, Interaction, Outcome, Role, TextField};
use quell_domain::principal::{Principal, TrustGrade};
use serde::{Deserialize, Serialize};

/// Most tools of one exchange that are counted.
const TOOLS_MAX: usize = 8;
/// Characters of a text that are looked at for its script.
const SCRIPT_CHARS_MAX: usize = 400;

/// Which writing system most of a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Latin.
    Latin,
    /// Cyrillic.
    Cyrillic,
    /// Chinese, Japanese, Korean.
    EastAsian,
    /// Arabic and Hebrew.
    RightToLeft,
    /// Devanagari and the other scripts of South and Southeast Asia.
    SouthAsian,
    /// Any other letters.
    Other,
}

/// How many scripts are told apart.
pub(crate) const SCRIPTS: usize = 6;

impl Script {
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The script of most letters of `text`; none where it has no letters.
    pub fn of(text: &str) -> Option<Self> {
        let mut counts = [0usize; SCRIPTS];
        for c in text.chars().filter(|c| c.is_alphabetic()).take(SCRIPT_CHARS_MAX) {
            counts[Self::of_char(c).index()] += 1;
        }
        let most = counts.into_iter().max().filter(|most| *most > 0)?;
        Self::ALL.into_iter().find(|script| counts[script.index()] == most)
    }

    const ALL: [Self; SCRIPTS] = [
        Self::Latin,
        Self::Cyrillic,
        Self::EastAsian,
        Self::RightToLeft,
        Self::SouthAsian,
        Self::Other,
    ];

    const fn of_char(c: char) -> Self {
        match c as u32 {
            0x41..=0x24f | 0x1e00..=0x1eff => Self::Latin,
            0x400..=0x52f => Self::Cyrillic,
            0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff => Self::RightToLeft,
            0x900..=0x109f | 0x1780..=0x17ff => Self::SouthAsian,
            0x1100..=0x11ff
            | 0x3040..=0x30ff
            | 0x3130..=0x318f
            | 0x3400..=0x9fff
            | 0xac00..=0xd7af
            | 0x2_0000..=0x3_ffff => Self::EastAsian,
            _ => Self::Other,
        }
    }
}

/// What an exchange that reached a model came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Tokens, as the provider counts.
    pub input_tokens: Option<u64>,
    /// Tokens, as the provider counts.
    pub output_tokens: Option<u64>,
    /// Millionths of the currency of the application's prices.
    pub cost_millionths: Option<u64>,
    /// Time to the last byte, microseconds.
    pub latency_us: Option<u64>,
    /// Time to the first byte of a stream, microseconds.
    pub first_byte_us: Option<u64>,
    /// Characters of the answer.
    pub output_chars: u64,
    /// Status 500 and above, or no upstream answered.
    pub server_error: bool,
    /// Status 400 to 499 without 429.
    pub client_error: bool,
    /// Status 429.
    pub rate_limited: bool,
    /// The model declined.
    pub refused: bool,
    /// The model called a tool.
    pub tool_call: bool,
    /// The answer ended at the token limit.
    pub cut_at_length: bool,
    /// The provider's filter ended it.
    pub filtered: bool,
}

impl Answer {
    pub(crate) fn has_failed(&self) -> bool {
        self.server_error || self.client_error || self.rate_limited
    }
}

/// One exchange, as far as baselines look at it. Holds no text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// When its last byte was ready, seconds since 1970.
    pub at: i64,
    /// The application.
    pub application: String,
    /// The model that answered, else the one asked for is not believed: `unknown`.
    pub model: String,
    /// The wire surface.
    pub endpoint: &'static str,
    /// How whoever asked is known: see [`principal_class`].
    pub class: &'static str,
    /// Tools the model called, each once.
    pub tools: Vec<String>,
    /// A hash of whoever asked.
    pub principal: u64,
    /// A hash of what was asked, if anything.
    pub prompt: Option<u64>,
    /// Whether that was asked before within the hour; set by the book.
    pub duplicate: bool,
    /// A rule matched.
    pub guard_hit: bool,
    /// The script of the last user text, where text is kept.
    pub script: Option<Script>,
    /// What came back; none where Quell answered instead of the model.
    pub answer: Option<Answer>,
}

impl Observation {
    /// What baselines see in `interaction`. None for endpoints without exchanges of text.
    pub fn of(interaction: &Interaction, prices: &[ModelPrice]) -> Option<Self> {
        if interaction.endpoint == Endpoint::Models {
            return None;
        }
        let last = interaction.timing.last_byte_us.unwrap_or(0);
        let at = interaction.started_at.as_microsecond().saturating_add_unsigned(last);
        let asked = last_user_text(&interaction.request);
        let mut tools: Vec<String> = Vec::new();
        for call in interaction.tool_calls.iter().take(TOOLS_MAX) {
            let name: String = call.name.chars().take(64).collect();
            if !tools.contains(&name) {
                tools.push(name);
            }
        }
        let answered = interaction.outcome < Outcome::Blocked;
        let model = interaction.model_served.as_deref().unwrap_or("unknown");
        Some(Self {
            at: at.div_euclid(1_000_000),
            application: interaction.application.clone(),
            model: model.chars().take(96).collect(),
            endpoint: interaction.endpoint.as_str(),
            class: principal_class(&interaction.principal),
            tools,
            principal: hash(narrowest(&interaction.principal).as_bytes()),
            prompt: match asked {
                Some(text) => Some(hash(text.as_bytes())),
                None => interaction.digests.request_received.as_ref().map(|d| hash(d.as_bytes())),
            },
            duplicate: false,
            guard_hit: !interaction.signals.is_empty(),
            script: asked.and_then(Script::of),
            answer: answered.then(|| answer(interaction, prices)),
        })
    }
}

fn answer(interaction: &Interaction, prices: &[ModelPrice]) -> Answer {
    let status = interaction.status;
    let ended = |reasons: &[&str]| {
        interaction.finish_reasons.iter().any(|reason| reasons.contains(&reason.as_str()))
    };
    let usage = interaction.usage;
    let declined = interaction.response.iter().any(|field| field.part == "refusal")
        || interaction.signals.iter().any(|s| s.facts.iter().any(|fact| fact == "output.refusal"));
    Answer {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cost_millionths: cost(interaction, prices),
        latency_us: interaction.timing.last_byte_us,
        first_byte_us: interaction.timing.first_byte_us.filter(|_| interaction.stream),
        output_chars: interaction.response_chars,
        server_error: status >= 500,
        client_error: (400..500).contains(&status) && status != 429,
        rate_limited: status == 429,
        refused: declined || ended(&["content_filter", "refusal"]),
        tool_call: !interaction.tool_calls.is_empty(),
        cut_at_length: ended(&["length", "max_tokens", "max_output_tokens"]),
        filtered: ended(&["content_filter"]),
    }
}

/// Millionths of the application's currency; none without tokens or price.
fn cost(interaction: &Interaction, prices: &[ModelPrice]) -> Option<u64> {
    let model = interaction.model_served.as_ref().or(interaction.model_asked.as_ref())?;
    let price = prices.iter().find(|price| price.is_of(model))?;
    let usage = interaction.usage;
    Some(price.cost(usage.input_tokens?, usage.output_tokens.unwrap_or(0)))
}

/// The text asked last: of the user, else of a tool.
fn last_user_text(request: &[TextField]) -> Option<&str> {
    let of = |role| {
        let said = |field: &&TextField| field.role == role && !field.text.is_empty();
        request.iter().rev().find(said).map(|field| field.text.as_str())
    };
    of(Role::User).or_else(|| of(Role::Tool))
}

/// How whoever asked is known: by a verified user token, a name the client stated, a session, a
/// key, or an address.
pub fn principal_class(principal: &Principal) -> &'static str {
    match (&principal.user, &principal.session) {
        (Some(user), _) if user.grade == TrustGrade::Authenticated => "authenticated_user",
        (Some(_), _) => "asserted_user",
        (None, Some(_)) => "session",
        _ if principal.key.is_some() => "key",
        _ if principal.address.is_some() => "address",
        _ => "unknown",
    }
}

fn narrowest(principal: &Principal) -> String {
    if let Some(user) = &principal.user {
        format!("user {}", user.value)
    } else if let Some(session) = &principal.session {
        format!("session {}", session.value)
    } else if let Some(key) = principal.key {
        format!("key {key}")
    } else {
        format!("address {}", principal.address.as_deref().unwrap_or_default())
    }
}

/// FNV-1a, then mixed: only has to spread, and to stay the same between versions.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

/// One step of SplitMix64.
pub(crate) const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_of_the_script_most_of_its_letters_are_of() {
        for (text, script) in [
            ("Where is my parcel?", Some(Script::Latin)),
            ("Où est mon colis ?", Some(Script::Latin)),
            ("Где моя посылка? ok", Some(Script::Cyrillic)),
            ("我的包裹在哪里", Some(Script::EastAsian)),
            ("أين طردي", Some(Script::RightToLeft)),
            ("मेरा पार्सल", Some(Script::SouthAsian)),
            ("12 + 30 = ?", None),
        ] {
            assert_eq!(Script::of(text), script, "{text}");
        }
    }
}
