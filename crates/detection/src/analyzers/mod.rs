//! What can be said about text and exchanges without a pattern: each analyzer states facts.

pub(crate) mod answer;
pub(crate) mod arguments;
pub(crate) mod confidence;
pub(crate) mod echo;
pub(crate) mod grounding;
pub(crate) mod language;
pub(crate) mod loops;
pub(crate) mod noise;
pub(crate) mod reencoded;
pub(crate) mod refusal;
pub(crate) mod repetition;
pub(crate) mod schema;
pub(crate) mod sizes;
pub(crate) mod system_secret;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod words;

/// A fact stated by an analyzer about a stretch of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raised {
    pub(crate) fact: &'static str,
    /// First byte of what it is about.
    pub(crate) start: usize,
    /// One past the last.
    pub(crate) end: usize,
    /// How many bytes of the field had to be seen to know.
    pub(crate) trigger: usize,
}

/// Every fact an analyzer may state, with what it means.
pub const ANALYZER_FACTS: &[(&str, &str)] = &[
    (
        "conversation.escalation.certain",
        "the user's turns together move to a harmful goal, beyond doubt",
    ),
    ("conversation.escalation.likely", "the user's turns together move to a harmful goal"),
    ("encoded.ascii_art", "lines drawn with characters; what they show is not read"),
    (
        "encoded.attack",
        "an encoded text that an injection, jailbreak or extraction pattern matches",
    ),
    ("encoded.base32", "base32 of readable text"),
    ("encoded.base64", "base64 of readable text"),
    ("encoded.binary", "characters as binary numbers"),
    ("encoded.caesar", "letters moved along the alphabet, as rot13 does"),
    ("encoded.decimal", "characters as decimal numbers"),
    ("encoded.hex", "hexadecimal of readable text"),
    ("encoded.homoglyph", "letters of other scripts or styles that pass for Latin ones"),
    ("encoded.html", "HTML entities"),
    ("encoded.leet", "digits and marks that stand for letters"),
    ("encoded.misspelt", "words of attacks with a letter too few, too many, or two changed about"),
    ("encoded.morse", "Morse"),
    ("encoded.reversed", "text that runs backwards"),
    ("encoded.spaced", "letters written apart"),
    ("encoded.split", "a text cut into quoted pieces to be put together"),
    ("encoded.unicode_escape", "backslash escapes and U+ names"),
    ("encoded.unicode_tags", "text in invisible Unicode tag characters"),
    ("encoded.unspaced", "words without spaces between them"),
    ("encoded.url", "URL percent signs"),
    ("encoded.variation_selectors", "text in the numbers of invisible variation selectors"),
    ("encoded.word_order", "words in reverse order"),
    ("encoded.zero_width", "invisible characters inside words"),
    ("output.canary", "a planted string of the application leaves"),
    (
        "identifier.crypto_address",
        "an address of a crypto currency, its checksum valid where it has one",
    ),
    ("identifier.document", "a passport or licence number with letters, named as one"),
    ("identifier.es_nie", "a Spanish number of a foreigner with its letter"),
    ("identifier.in_pan", "an Indian PAN"),
    ("identifier.it_codice_fiscale", "an Italian codice fiscale with its check letter"),
    ("identifier.mac", "a hardware address"),
    ("identifier.mx_curp", "a Mexican CURP with its check digit"),
    ("identifier.sg_nric", "a Singaporean NRIC or FIN with its check letter"),
    ("identifier.uk_nino", "a British National Insurance number"),
    ("identifier.vin", "a vehicle identification number with its check digit"),
    ("output.encoded_canary", "a planted string or a secret of the system text leaves encoded"),
    ("output.encoded_identifier", "an identifier of a person or account leaves encoded"),
    ("output.encoded_secret", "a key or token leaves encoded"),
    ("output.compliance_after_harm", "a long answer without refusal to a request found harmful"),
    (
        "output.low_overlap",
        "most long words of the answer stand nowhere in the request and its documents",
    ),
    ("output.loop", "eighty words in a row that stood in the answer before"),
    ("output.refusal", "the answer begins by declining"),
    ("output.script_switch", "the answer changes its script half-way"),
    ("output.system_prompt_echo", "a long passage of the system text leaves, word for word"),
    ("output.system_prompt_encoded", "a long passage of the system text leaves encoded"),
    ("output.system_prompt_fragment", "eleven words of the system text in a row leave"),
    ("output.system_prompt_reworded", "the answer uses most of the system text's long words"),
    ("output.system_secret", "a password or code of the system text leaves"),
    ("output.uncertain", "the provider's log-probabilities say that the model was unsure"),
    (
        "output.ungrounded_names",
        "names in the answer stand nowhere in the request and its documents",
    ),
    (
        "output.ungrounded_numbers",
        "numbers in the answer stand nowhere in the request and its documents",
    ),
    ("parameters.choices.gt_8", "more than 8 answers were asked for"),
    ("parameters.max_tokens.gt_16k", "more than 16,000 output tokens were asked for"),
    ("text.noise_suffix", "a user's text ends in a string as no language writes it"),
    ("text.repetition", "one word or character repeated hundreds of times"),
    ("tokens.input.gt_8k", "more than about 8,000 tokens of input"),
    ("tokens.input.gt_32k", "more than about 32,000 tokens of input"),
    ("tokens.input.gt_128k", "more than about 128,000 tokens of input"),
    ("tokens.output.gt_8k", "more than about 8,000 tokens of output"),
    ("tokens.output.gt_32k", "more than about 32,000 tokens of output"),
    ("tool.arguments_outside_schema", "a call's arguments break the schema the request declared"),
    ("tool.arguments_unreadable", "a call's arguments are no JSON, though a schema was declared"),
    (
        "tool.destination_from_document",
        "a call that sends data goes to an address only a tool's result names",
    ),
    (
        "tool.destination_out_of_scope",
        "a call's arguments name a host outside the application's list",
    ),
    ("tool.executes_code", "a tool was called whose name says it runs code or commands"),
    ("tool.not_offered", "a tool was called that the request did not offer"),
    ("tool.reads_data", "a tool was called whose name says it reads files, mail or records"),
    ("tool.sends_out", "a tool was called whose name says it sends data somewhere"),
    ("tools.offered.gt_64", "more than 64 tools were offered"),
];
