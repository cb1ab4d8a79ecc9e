//! What commands print: JSON with `--json`, else tables and key-value lists for people.

use std::io::Write;

use serde_json::Value;

use crate::exit::Failure;

/// Prints a line to standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        // `quell … | head` is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Prints a line to standard error.
pub fn note(text: &str) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        // Nobody is listening; there is nothing left to tell.
    }
}

/// Prints `value` as JSON, or through `people`.
pub fn show(json: bool, value: &Value, people: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
    if json { line(&format!("{value:#}")) } else { line(&people(value)) }
}

/// A table of the rows in `rows`, one column per (heading, JSON pointer).
pub fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    if rows.is_empty() {
        return "(none)".into();
    }
    let mut lines: Vec<Vec<String>> =
        vec![columns.iter().map(|(heading, _)| (*heading).to_owned()).collect()];
    for row in rows {
        lines.push(columns.iter().map(|(_, pointer)| cell(row, pointer)).collect());
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// `name: value` lines for each (name, JSON pointer) that is present.
pub fn list(value: &Value, rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let present = rows.iter().filter(|(_, pointer)| value.pointer(pointer).is_some_and(|v| !v.is_null()));
    let lines: Vec<String> =
        present.map(|(name, pointer)| format!("{name:<width$}  {}", cell(value, pointer))).collect();
    lines.join("\n")
}

/// The value at `pointer` as text.
pub fn cell(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.replace(['\n', '\r', '\u{1b}'], " "),
        Some(other) => other.to_string(),
    }
}

/// The array at `pointer`.
pub fn rows<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_align_and_escape_control_characters() {
        let rows = [json!({"a": "x", "b": {"c": 1}}), json!({"a": "long\u{1b}[31m", "b": {}})];
        assert_eq!(table(&rows, &[("A", "/a"), ("C", "/b/c")]), "A           C\nx           1\nlong [31m");
    }
}
