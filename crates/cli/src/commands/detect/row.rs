//! One row of the input: what it may say, and the exchange it stands for.

use quell_domain::interaction::{Role, TextField};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One line of the input. Fields that are not named here are ignored, so that a labelled corpus can
/// be read as it is.
#[derive(Deserialize)]
struct Row {
    id: Option<Value>,
    text: Option<String>,
    turns: Option<Vec<Turn>>,
    #[serde(default)]
    role: Speaker,
    system_prompt: Option<String>,
}

/// Whose text `text` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    #[default]
    User,
    System,
    /// A retrieved document: reaches a model as a tool's result does.
    Document,
    Tool,
    /// The model's answer.
    #[serde(alias = "assistant")]
    Output,
}

impl Speaker {
    const fn role(self) -> Role {
        match self {
            Self::User => Role::User,
            Self::System => Role::System,
            Self::Document | Self::Tool => Role::Tool,
            Self::Output => Role::Assistant,
        }
    }
}

/// A turn of a conversation: a string is the user's.
struct Turn {
    speaker: Speaker,
    text: String,
    /// Whether it was an object, for pointers into it.
    object: bool,
}

impl<'de> Deserialize<'de> for Turn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Full {
            role: Speaker,
            text: String,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a turn is a string or {\"role\": …, \"text\": …}")]
        enum Any {
            Short(String),
            Full(Full),
        }
        Ok(match Any::deserialize(deserializer)? {
            Any::Short(text) => Self { speaker: Speaker::User, text, object: false },
            Any::Full(Full { role, text }) => Self { speaker: role, text, object: true },
        })
    }
}

/// A row as the exchange that is judged.
#[derive(Debug)]
pub(super) struct Task {
    /// The row's id as given, else its line number.
    pub(super) id: Value,
    /// What goes to the model, in order; pointers as in a chat request.
    pub(super) request: Vec<TextField>,
    /// The model's answer, if the row is one.
    pub(super) response: Option<TextField>,
    /// All system text.
    pub(super) system_text: String,
    /// Where each field of `request` stands in the row.
    places: Vec<String>,
}

impl Task {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it and what to do, without the text itself.
    pub(super) fn read(line: &[u8], number: u64) -> Result<Self, String> {
        let text = std::str::from_utf8(line)
            .map_err(|error| format!("not UTF-8 after byte {}; convert it", error.valid_up_to()))?;
        let row: Row = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let id = match row.id {
            None | Some(Value::Null) => Value::from(number),
            Some(id @ (Value::String(_) | Value::Number(_))) => id,
            Some(_) => return Err("`id` is neither text nor a number; make it one".into()),
        };
        let mut task = Self {
            id,
            request: Vec::new(),
            response: None,
            system_text: String::new(),
            places: Vec::new(),
        };
        if let Some(text) = row.system_prompt {
            task.say(Speaker::System, text, "/system_prompt".into());
        }
        let turns = row.turns.unwrap_or_default();
        let answer = row.role == Speaker::Output;
        match row.text {
            None if turns.is_empty() || answer => {
                let wanted = if answer { "`text`" } else { "`text` or a filled `turns`" };
                return Err(format!("has no {wanted}; add it"));
            }
            // Where both are given the turns are the conversation that the text sums up.
            Some(text) if turns.is_empty() && !answer => task.say(row.role, text, "/text".into()),
            Some(text) if answer => {
                task.response = Some(field(RESPONSE.into(), Role::Assistant, text));
            }
            Some(_) | None => {}
        }
        for (index, Turn { speaker, text, object }) in turns.into_iter().enumerate() {
            let place =
                if object { format!("/turns/{index}/text") } else { format!("/turns/{index}") };
            task.say(speaker, text, place);
        }
        Ok(task)
    }

    /// Bytes of text to judge.
    pub(super) fn bytes(&self) -> usize {
        let all = self.request.iter().chain(&self.response);
        all.map(|field| field.text.len()).sum()
    }

    /// The place in the row that a pointer into the exchange stands for.
    pub(super) fn place<'a>(&'a self, pointer: &'a str) -> &'a str {
        if self.response.is_some() && pointer == RESPONSE {
            return "/text";
        }
        let found = self.request.iter().position(|field| field.field == pointer);
        found.map_or(pointer, |index| &self.places[index])
    }

    fn say(&mut self, speaker: Speaker, text: String, place: String) {
        if speaker == Speaker::System {
            if !self.system_text.is_empty() {
                self.system_text.push('\n');
            }
            self.system_text.push_str(&text);
        }
        let pointer = format!("/messages/{}/content", self.request.len());
        self.request.push(field(pointer, speaker.role(), text));
        self.places.push(place);
    }
}

/// Where the answer's text stands in a chat response.
const RESPONSE: &str = "/choices/0/message/content";

fn field(pointer: String, role: Role, text: String) -> TextField {
    let part = match role {
        Role::System => "system",
        Role::Tool => "tool_result",
        _ => "content",
    };
    TextField { field: pointer, role, part: part.into(), text }
}

/// What serde says, which names fields and columns and quotes no more than a wrong name of a role.
fn unreadable(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let fix = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => "write one JSON object a line",
        Category::Data => "see `quell detect --help` for a row's fields",
    };
    let said: String = error.to_string().chars().take(200).collect();
    format!("{said}; {fix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str) -> Task {
        Task::read(line.as_bytes(), 7).unwrap()
    }

    #[test]
    fn rows_become_the_exchange_they_stand_for() {
        let user = task(r#"{"id": "a", "text": "hello", "label": "ignored"}"#);
        assert_eq!(user.id, "a");
        assert_eq!((user.request[0].role, user.request.len()), (Role::User, 1));
        assert_eq!(user.place("/messages/0/content"), "/text");

        let asked = task(r#"{"text": "hi", "role": "document", "system_prompt": "be kind"}"#);
        assert_eq!(asked.id, 7);
        assert_eq!(asked.system_text, "be kind");
        assert_eq!(asked.request[1].role, Role::Tool);
        assert_eq!(asked.place("/messages/0/content"), "/system_prompt");
        assert_eq!(asked.place("/messages/1/content"), "/text");

        let talk =
            task(r#"{"id": 3, "text": "a b", "turns": ["a", {"role": "assistant", "text": "b"}]}"#);
        assert_eq!(
            talk.request.iter().map(|field| field.role).collect::<Vec<_>>(),
            [Role::User, Role::Assistant]
        );
        assert_eq!(talk.place("/messages/0/content"), "/turns/0");
        assert_eq!(talk.place("/messages/1/content"), "/turns/1/text");

        let answer = task(r#"{"text": "out", "role": "output", "turns": ["in"]}"#);
        assert_eq!(answer.response.as_ref().unwrap().text, "out");
        assert_eq!(answer.request[0].text, "in");
        assert_eq!(answer.place(RESPONSE), "/text");
    }

    #[test]
    fn a_bad_row_says_what_to_do() {
        for (line, said) in [
            (r#"{"id": "a"}"#, "add it"),
            (r#"{"turns": []}"#, "`turns`"),
            (r#"{"turns": ["a"], "role": "output"}"#, "has no `text`"),
            (r#"{"text": 3}"#, "--help"),
            (r#"{"text": "x", "role": "king"}"#, "king"),
            (r#"{"text": "x", "id": []}"#, "`id`"),
            (r#"{"turns": [3]}"#, "a turn is a string"),
            (r"[1]", "--help"),
            ("{", "one JSON object a line"),
        ] {
            let error = Task::read(line.as_bytes(), 1).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(Task::read(b"{\"text\": \"\xff\"}", 1).unwrap_err().contains("byte 10"));
        let deep = format!("{{\"text\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Task::read(deep.as_bytes(), 1).is_err());
        let deep = format!(
            "{{\"text\": \"x\", \"more\": {}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(Task::read(deep.as_bytes(), 1).is_ok(), "what is ignored is not built");
    }
}
