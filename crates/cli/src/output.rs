//! What commands print: JSON with `--json`, else tables and key-value lists for people.

use std::io::Write;

use serde_json::Value;

use crate::client::Query;
use crate::exit::Failure;

/// Longest cell of a table, characters; the whole text is in `show` and in `--json`.
const CELL_CHARS: usize = 60;

/// Prints a line to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        // `quell … | head` is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Prints bytes to standard output as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a new secret, the only time it is shown: alone on standard output, so that a script can
/// take it, with the id that `pointer` names on standard error.
pub(crate) fn secret(json: bool, made: &Value, pointer: &str) -> Result<(), Failure> {
    if json {
        return line(&format!("{made:#}"));
    }
    note(&format!("{} made. Its text is shown this once:", cell(made, pointer)));
    line(&cell(made, "/secret"))
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        // Nobody is listening; there is nothing left to tell.
    }
}

/// Prints `value` as JSON, or through `people`.
pub(crate) fn show(
    json: bool,
    value: &Value,
    people: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    if json { line(&format!("{value:#}")) } else { line(&people(value)) }
}

/// A table of the rows in `rows`, one column per (heading, JSON pointer).
pub(crate) fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    if rows.is_empty() {
        return "(none)".into();
    }
    let mut lines: Vec<Vec<String>> =
        vec![columns.iter().map(|(heading, _)| (*heading).to_owned()).collect()];
    for row in rows {
        lines.push(columns.iter().map(|(_, pointer)| short(cell(row, pointer))).collect());
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out.trim_end().to_owned()
}

fn short(text: String) -> String {
    if text.chars().count() <= CELL_CHARS {
        return text;
    }
    let kept: String = text.chars().take(CELL_CHARS - 1).collect();
    format!("{}…", kept.trim_end())
}

/// One page of a list, and how to get the next.
pub(crate) fn page(page: &Value, columns: &[(&str, &str)]) -> String {
    with_more(page, table(rows(page, "/items"), columns))
}

/// `shown`, and how to get the next page if there is one.
pub(crate) fn with_more(page: &Value, shown: String) -> String {
    match page.get("next").and_then(Value::as_str) {
        Some(next) => format!("{shown}\nmore with --cursor {}", plain(next)),
        None => shown,
    }
}

/// Which part of a list.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Page {
    /// At most so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: Option<u32>,
    /// Where the page before ended.
    #[arg(long)]
    cursor: Option<String>,
}

impl Page {
    /// Adds the part to a query.
    pub(crate) fn add_to(&self, query: Query) -> Query {
        query.with("limit", self.limit).with("cursor", self.cursor.as_ref())
    }
}

/// `name: value` lines for each (name, JSON pointer) that has something to say.
pub(crate) fn list(value: &Value, rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let cells = rows.iter().map(|(name, pointer)| (name, cell(value, pointer)));
    let lines: Vec<String> = cells
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| format!("{name:<width$}  {cell}"))
        .collect();
    lines.join("\n")
}

/// The value at `pointer` as text.
pub(crate) fn cell(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => moment(text).unwrap_or_else(|| plain(text)),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            plain(&items.join(", "))
        }
        Some(other) => plain(&other.to_string()),
    }
}

/// `text` without what could steer a terminal or turn the reading order.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// The same, keeping line breaks and tabs.
pub(crate) fn plain_lines(text: &str) -> String {
    text.chars().map(|c| if steers(c) && !matches!(c, '\n' | '\t') { ' ' } else { c }).collect()
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A time for people: to the millisecond, UTC.
fn moment(text: &str) -> Option<String> {
    if text.len() < 20 || !text.ends_with('Z') {
        return None;
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(at.strftime("%Y-%m-%d %H:%M:%S.%3fZ").to_string())
}

/// The array at `pointer`.
pub(crate) fn rows<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_align_and_escape_control_characters() {
        let rows = [json!({"a": "x", "b": {"c": 1}}), json!({"a": "long\u{1b}[31m", "b": {}})];
        let expected = "A          C\nx          1\nlong [31m";
        assert_eq!(table(&rows, &[("A", "/a"), ("C", "/b/c")]), expected);
    }

    #[test]
    fn cells_are_for_people() {
        for (value, expected) in [
            (json!("2026-05-01T10:00:00.123456Z"), "2026-05-01 10:00:00.123Z"),
            (json!("2026-05-01 is no time, Z"), "2026-05-01 is no time, Z"),
            (json!(["a", "b"]), "a, b"),
            (json!("a\u{202e}b"), "a b"),
            (json!(null), ""),
            (json!(true), "true"),
        ] {
            assert_eq!(cell(&value, ""), expected);
        }
        assert_eq!(short("x".repeat(61)).chars().count(), CELL_CHARS);
    }
}
