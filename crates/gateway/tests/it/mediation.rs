//! Complete mediation, through the real data path: a contained text is planted in every place of
//! every surface where text can stand. Each cell of the matrix must be caught, with nothing of the
//! text delivered or forwarded; only what cannot be read may be named as not evaluated instead.

use std::collections::HashMap;
use std::fmt::Write as _;

use http::StatusCode;
use quell_domain::interaction::{Interaction, Outcome};
use quell_domain::measure::{Effect, Target, TextPattern};
use quell_testkit::Reply;
use serde_json::{Value, json};

use crate::planted_requests::requests;
use crate::planted_responses::{streams, wholes};
use crate::support::{Answer, Rig, completion, read_log};
use crate::wires::{response, text_stream};

/// The contained text, also in two pieces. `@` stands for it in the rows.
pub(crate) const PLANTED: &str = "violet heron 77";
pub(crate) const PIECES: [&str; 2] = ["violet he", "ron 77"];

pub(crate) const SURFACES: [&str; 5] =
    ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"];

/// Where the matrix is published.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mediation.md");

const HEAD: &str = "# What the gateway sees

A contained text was planted in every place where text can stand, one request or answer at a time, through the
gateway's real data path with `stream.mode = \"live\"`. `blocked`: refused, nothing of it was forwarded or delivered.
`cut`: the stream ended before its first character. `not_evaluated(…)`: passed, and the record names what was not
judged. There is no other result: a cell in which the text passes in silence fails the test that writes this page,

```console
$ QUELL_WRITE_DOCS=1 cargo test -p quell-gateway --test it no_cell_of_the_matrix_is_silent
```

| endpoint | direction | form | place | result |
|---|---|---|---|---|
";

/// One place where text can stand, and a body or stream that has the planted text there.
pub(crate) struct Row<T> {
    pub(crate) place: &'static str,
    pub(crate) planted: T,
    pub(crate) sort: Sort,
}

/// What can be asked of a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Plain text: must be caught.
    Text,
    /// Bytes, sealed text, state at the provider: may be named as not evaluated.
    Unreadable,
}

/// A row whose text must be caught.
pub(crate) fn text<T>(place: &'static str, planted: T) -> Row<T> {
    Row { place, planted, sort: Sort::Text }
}

/// A row whose text may be named as not evaluated.
pub(crate) fn unreadable<T>(place: &'static str, planted: T) -> Row<T> {
    Row { place, planted, sort: Sort::Unreadable }
}

/// One exchange of the matrix, before its record is looked at.
struct Cell {
    path: &'static str,
    direction: &'static str,
    place: &'static str,
    stream: bool,
    sort: Sort,
    interaction: String,
    /// Whether the text, or the request with it, went where it must not.
    passed: bool,
}

impl Cell {
    /// What became of it; none where the text passed in silence.
    fn verdict(&self, record: &Interaction) -> Option<String> {
        let caught = matches!(record.outcome, Outcome::Blocked | Outcome::Redacted);
        if !self.passed && caught {
            let cut = record.cut.as_ref().map(|_| "cut".to_owned());
            return Some(cut.unwrap_or_else(|| record.outcome.to_string()));
        }
        match self.sort {
            Sort::Text => None,
            Sort::Unreadable => reasons(record),
        }
    }
}

fn reasons(record: &Interaction) -> Option<String> {
    let mut reasons: Vec<_> =
        record.not_evaluated.iter().map(|missing| missing.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    (!reasons.is_empty()).then(|| format!("not_evaluated({})", reasons.join(", ")))
}

pub(crate) fn planted(body: &Value) -> String {
    body.to_string().replace('@', PLANTED)
}

pub(crate) fn shows(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("violet") || text.contains(PIECES[1])
}

fn streams_too(path: &str) -> bool {
    path != "/v1/embeddings"
}

fn honest(path: &str, stream: bool) -> Reply {
    if stream {
        return Reply::sse(text_stream(path, &["ok"]));
    }
    Reply::json(&match path {
        "/v1/chat/completions" => completion("ok"),
        "/v1/completions" => json!({"choices": [{"index": 0, "text": "ok"}]}),
        "/v1/messages" => json!({"type": "message", "content": [{"type": "text", "text": "ok"}]}),
        "/v1/responses" => response("completed", &json!([])),
        _ => json!({"object": "list", "data": [{"index": 0, "embedding": [0.5]}]}),
    })
}

pub(crate) fn plain(path: &str, stream: bool) -> Value {
    let mut body = match path {
        "/v1/chat/completions" | "/v1/messages" => {
            json!({"messages": [{"role": "user", "content": "Hi!"}]})
        }
        "/v1/completions" => json!({"prompt": "Hi!"}),
        _ => json!({"input": "Hi!"}),
    };
    body["model"] = json!("m");
    if path == "/v1/messages" {
        body["max_tokens"] = json!(100);
    }
    if stream {
        body["stream"] = json!(true);
    }
    body
}

async fn post(rig: &Rig, path: &str, body: String) -> Answer {
    let answer = rig.post(path, &[("x-api-key", "qk_shop")], body).await;
    assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text());
    answer
}

fn id(answer: &Answer) -> String {
    answer.headers["x-quell-interaction"].to_str().unwrap().to_owned()
}

async fn input_cells(rig: &Rig, path: &'static str, cells: &mut Vec<Cell>) {
    for row in requests(path) {
        for stream in [false, true] {
            if stream && !streams_too(path) {
                continue;
            }
            let mut body = plain(path, stream);
            body.as_object_mut().unwrap().extend(row.planted.as_object().unwrap().clone());
            let before = rig.upstream.received().len();
            rig.upstream.otherwise(move |_| honest(path, stream));
            let answer = post(rig, path, planted(&body)).await;
            cells.push(Cell {
                path,
                direction: "input",
                place: row.place,
                stream,
                sort: row.sort,
                interaction: id(&answer),
                passed: rig.upstream.received()[before..].iter().any(|got| shows(&got.body)),
            });
        }
    }
}

async fn output_cells(rig: &Rig, path: &'static str, cells: &mut Vec<Cell>) {
    let replies = wholes(path).into_iter().map(|row| {
        let status = if row.planted.starts_with("{\"error\":{") { 400 } else { 200 };
        let reply = Reply::status(status).header("content-type", "application/json");
        (row.place, row.sort, false, reply.chunk(row.planted))
    });
    let streamed =
        streams(path).into_iter().map(|row| (row.place, row.sort, true, Reply::sse(row.planted)));
    for (place, sort, stream, reply) in replies.chain(streamed) {
        rig.upstream.push(reply);
        let answer = post(rig, path, plain(path, stream).to_string()).await;
        cells.push(Cell {
            path,
            direction: "output",
            place,
            stream,
            sort,
            interaction: id(&answer),
            passed: shows(&answer.body),
        });
    }
}

/// The matrix, and the cells in which the text passed in silence.
fn table(cells: &[Cell], records: &HashMap<String, Interaction>) -> (String, Vec<String>) {
    let mut lines = String::new();
    let mut silent = Vec::new();
    for cell in cells {
        let form = if cell.stream { "stream" } else { "whole" };
        let verdict = records.get(&cell.interaction).and_then(|record| cell.verdict(record));
        let shown = verdict.as_deref().unwrap_or("SILENT");
        let line =
            format!("| `{}` | {} | {form} | {} | {shown} |", cell.path, cell.direction, cell.place);
        writeln!(lines, "{line}").unwrap();
        if verdict.is_none() {
            silent.push(line);
        }
    }
    (lines, silent)
}

#[tokio::test]
async fn no_cell_of_the_matrix_is_silent() {
    let rig = Rig::start().await;
    let pattern =
        TextPattern { text: PLANTED.into(), regex: false, directions: Vec::new(), sample: None };
    rig.enforce(vec![rig.measure(Target::Pattern { pattern }, Effect::Restrict)]).await;
    let mut cells = Vec::new();
    for path in SURFACES {
        input_cells(&rig, path, &mut cells).await;
        output_cells(&rig, path, &mut cells).await;
    }
    let records = read_log(rig.data.path(), rig.gateway.name());
    let records: HashMap<String, Interaction> =
        records.into_iter().map(|record| (record.id.to_string(), record)).collect();
    let (table, silent) = table(&cells, &records);
    println!("{table}{} cells", cells.len());
    let page = format!("{HEAD}{table}\n{} cells.\n", cells.len());
    if std::env::var_os("QUELL_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    assert!(silent.is_empty(), "{} silent cells:\n{}", silent.len(), silent.join("\n"));
    let kept = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        kept == page,
        "docs/mediation.md is out of date: run this test with QUELL_WRITE_DOCS=1"
    );
}
