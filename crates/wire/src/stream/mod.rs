//! What the frames of a stream say: text by text as it arrives, and the whole at the end.
//!
//! A text's *channel* is the JSON pointer it has in the response that is not streamed, so findings
//! of both kinds point to the same place.

mod anthropic;
mod close;
mod openai;
mod responses;
mod rewrite;

use std::collections::{BTreeMap, HashMap};

use quell_domain::interaction::{Endpoint, Role, TextField, ToolCall};
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::json;
use crate::response::{self, Logprobs, ParsedResponse};
use crate::sse::Frame;
use crate::walk::{DECODED, Voice, Walk};

pub use close::length_end;
pub use rewrite::rewrite;

/// Most parallel texts of one stream.
pub const MAX_CHANNELS: usize = 4096;

/// One piece of text in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The text it belongs to, e.g. `/choices/0/message/content`, `/content/0/text`.
    pub field: String,
    /// What sort of text, as in a [`TextField`].
    pub part: String,
    /// The piece.
    pub text: String,
    /// Where it stands inside the frame's data.
    pub pointer: String,
    /// Whether it repeats the whole text that earlier pieces already gave.
    pub repeat: bool,
}

/// Reads one stream, frame by frame.
#[derive(Debug)]
pub struct StreamReader {
    endpoint: Endpoint,
    done: bool,
    head: ParsedResponse,
    logprobs: Logprobs,
    finish: BTreeMap<u64, String>,
    channels: Vec<TextField>,
    index: HashMap<String, usize>,
    calls: BTreeMap<(u64, u64), Call>,
    citations: HashMap<u64, u64>,
    sequence: u64,
    /// Whether the last frame ended a choice, a block or an item.
    ended: bool,
    /// The content block of a message that has begun and not ended.
    open_block: Option<u64>,
}

/// A tool call as far as it is known, and the channel of its arguments.
#[derive(Debug)]
struct Call {
    call: ToolCall,
    arguments: String,
}

/// How a piece relates to what its channel already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The next piece.
    Append,
    /// The whole text.
    Whole,
}

/// The deltas of one frame under construction.
struct Pieces<'a> {
    reader: &'a mut StreamReader,
    out: Vec<Delta>,
}

impl StreamReader {
    /// A reader for streams of `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            done: false,
            head: ParsedResponse::default(),
            logprobs: Logprobs::default(),
            finish: BTreeMap::new(),
            channels: Vec::new(),
            index: HashMap::new(),
            calls: BTreeMap::new(),
            citations: HashMap::new(),
            sequence: 0,
            ended: false,
            open_block: None,
        }
    }

    /// The pieces of text in `frame`, in wire order. Comments and frames without text give none.
    pub fn read(&mut self, frame: &Frame) -> Result<Vec<Delta>, WireError> {
        self.ended = false;
        if !frame.is_event() {
            return Ok(Vec::new());
        }
        if frame.data.trim_ascii() == "[DONE]" {
            self.done = true;
            return Ok(Vec::new());
        }
        let value = json::parse_str(&frame.data)?;
        let members = value.as_object().ok_or_else(|| WireError::wrong("", "a JSON object"))?;
        let mut pieces = Pieces { reader: self, out: Vec::new() };
        match pieces.reader.endpoint {
            Endpoint::Messages => anthropic::read(&mut pieces, members)?,
            Endpoint::Responses => responses::read(&mut pieces, members)?,
            _ => openai::read(&mut pieces, members)?,
        }
        Ok(pieces.out)
    }

    /// Whether the event that ends such a stream was read: `[DONE]`, `message_stop`,
    /// `response.completed`, `.failed`, `.incomplete`, or an error.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The sequence number that follows the last one read, for [`crate::error_frame_at`].
    pub fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Names of the tools the model has begun to call, as far as they were read.
    pub fn tool_names(&self) -> impl Iterator<Item = &str> {
        self.calls.values().map(|call| call.call.name.as_str())
    }

    /// Whether the last frame tells a client that a tool call is complete.
    pub fn call_ended(&self) -> bool {
        self.ended && !self.calls.is_empty()
    }

    /// The response as far as it was read.
    pub fn summary(&self) -> ParsedResponse {
        let mut parsed = self.head.clone();
        parsed.fields = self.fields();
        parsed.logprobs = self.logprobs.value();
        parsed.not_evaluated.extend(self.logprobs.unjudged());
        if !self.finish.is_empty() {
            parsed.finish_reasons = self.finish.values().cloned().collect();
        }
        parsed.tool_calls = self.calls.values().map(|call| self.call(call)).collect();
        parsed
    }

    fn fields(&self) -> Vec<TextField> {
        let mut fields = Vec::with_capacity(self.channels.len());
        for channel in &self.channels {
            fields.push(channel.clone());
            if channel.part == "tool_arguments"
                && let Some(text) = crate::walk::decoded(&channel.text)
            {
                let field = format!("{}{DECODED}", channel.field);
                fields.push(TextField { field, text, ..channel.clone() });
            }
        }
        fields
    }

    fn call(&self, call: &Call) -> ToolCall {
        let streamed = self.index.get(&call.arguments).map(|index| &self.channels[*index].text);
        let arguments = streamed.unwrap_or(&call.call.arguments).clone();
        ToolCall { arguments, ..call.call.clone() }
    }

    /// Takes over what a heading states; what stands already stays.
    fn heading(&mut self, members: &Map<String, Value>) {
        let state = |held: &mut Option<String>, key: &str| {
            if held.is_none() {
                *held = members.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
            }
        };
        let head = &mut self.head;
        state(&mut head.model, "model");
        state(&mut head.fingerprint, "system_fingerprint");
        state(&mut head.response_id, "id");
        if let Some(usage) = members.get("usage").map(response::usage) {
            head.usage.input_tokens = usage.input_tokens.max(head.usage.input_tokens);
            head.usage.output_tokens = usage.output_tokens.max(head.usage.output_tokens);
        }
    }

    fn channel(&mut self, field: &str, role: Role, part: &str) -> Result<usize, WireError> {
        if let Some(index) = self.index.get(field) {
            return Ok(*index);
        }
        if self.channels.len() >= MAX_CHANNELS {
            return Err(WireError::TooManyChannels { limit: MAX_CHANNELS });
        }
        let index = self.channels.len();
        let text = String::new();
        let (field, part) = (field.to_owned(), part.to_owned());
        self.index.insert(field.clone(), index);
        self.channels.push(TextField { field, role, part, text });
        Ok(index)
    }

    fn add_call(&mut self, key: (u64, u64), call: ToolCall, arguments: String) {
        if self.calls.len() < MAX_CHANNELS {
            self.calls.insert(key, Call { call, arguments });
        }
    }
}

impl Pieces<'_> {
    /// One piece of one channel.
    fn piece(
        &mut self,
        channel: String,
        voice: Voice,
        pointer: String,
        text: &str,
        mode: Mode,
    ) -> Result<(), WireError> {
        if text.is_empty() {
            return Ok(());
        }
        let part = voice.part.to_owned();
        let found = TextField { field: channel, role: voice.role, part, text: text.to_owned() };
        self.found(found, pointer, mode)
    }

    fn found(&mut self, found: TextField, pointer: String, mode: Mode) -> Result<(), WireError> {
        let TextField { field, role, part, text } = found;
        let index = self.reader.channel(&field, role, &part)?;
        let held = &mut self.reader.channels[index].text;
        let repeat = mode == Mode::Whole && *held == text;
        match mode {
            Mode::Append => held.push_str(&text),
            Mode::Whole if repeat => {}
            Mode::Whole => held.clone_from(&text),
        }
        self.out.push(Delta { field, part, text, pointer, repeat });
        Ok(())
    }

    /// Everything a walk finds below `pointer` in the frame, which is `channel` in the response.
    fn walk(
        &mut self,
        channel: &str,
        pointer: &str,
        mode: Mode,
        look: impl FnOnce(&mut Walk),
    ) -> Result<(), WireError> {
        let mut walk = Walk::response("");
        look(&mut walk);
        walk.check()?;
        for found in walk.fields {
            if found.field.ends_with(DECODED) {
                continue;
            }
            let at = format!("{pointer}{}", found.field);
            let field = format!("{channel}{}", found.field);
            self.found(TextField { field, ..found }, at, mode)?;
        }
        for mut unseen in walk.not_evaluated {
            unseen.field.insert_str(0, channel);
            let known = &mut self.reader.head.not_evaluated;
            if known.len() < MAX_CHANNELS && !known.contains(&unseen) {
                known.push(unseen);
            }
        }
        Ok(())
    }

    /// A member nobody has heard of: inspected, under its own name.
    fn unknown(&mut self, key: &str, value: &Value) -> Result<(), WireError> {
        self.walk("", "", Mode::Whole, |walk| {
            walk.member(key, |walk| walk.unknown(key, value, Role::Assistant));
        })
    }

    /// The error that ends a stream.
    fn error(&mut self, value: &Value) -> Result<(), WireError> {
        self.reader.done = true;
        self.walk("/error", "/error", Mode::Whole, |walk| walk.free(value, response::ERROR))
    }
}

/// A whole number member, 0 where there is none.
fn number(members: &Map<String, Value>, key: &str) -> u64 {
    members.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// A string member.
fn text<'a>(members: &'a Map<String, Value>, key: &str) -> &'a str {
    members.get(key).and_then(Value::as_str).unwrap_or_default()
}
