//! Facts about tool calls.
//!
//! Sees: names of the tools offered and called.
//! Cannot see: what a tool really does; a name that hides its purpose goes unnoticed.
//! Known false positives: names such as `read_aloud` count as reading data; the facts are meant to
//! be combined, not judged alone.

const READS: [&str; 10] = [
    "read",
    "get_file",
    "fetch",
    "load",
    "query",
    "search_mail",
    "list_",
    "select",
    "lookup",
    "retrieve",
];
const SENDS: [&str; 10] = [
    "send",
    "post",
    "email",
    "upload",
    "publish",
    "webhook",
    "http_request",
    "transfer",
    "share",
    "notify",
];
const EXECUTES: [&str; 8] =
    ["exec", "shell", "bash", "run_command", "python", "eval", "terminal", "run_code"];

/// Facts about one call of `tool`.
pub(crate) fn of_call(tool: &str, offered: &[String]) -> Vec<&'static str> {
    let name = tool.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let mut facts = Vec::new();
    if !offered.iter().any(|known| known == tool) {
        facts.push("tool.not_offered");
    }
    if says(&READS) {
        facts.push("tool.reads_data");
    }
    if says(&SENDS) {
        facts.push("tool.sends_out");
    }
    if says(&EXECUTES) {
        facts.push("tool.executes_code");
    }
    facts
}
