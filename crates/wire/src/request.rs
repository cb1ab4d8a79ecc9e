//! What came in, in the domain's shapes.

use quell_domain::interaction::{DocumentRef, Endpoint, NotEvaluated, Role, TextField};
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::walk::{Voice, Walk};
use crate::{chat, completions, embeddings, json, messages, responses};

/// One request, parsed once. `fields` and what follows are derived from `body`; after changing the
/// body call [`ParsedRequest::refresh`].
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedRequest {
    /// The surface.
    pub endpoint: Endpoint,
    /// The body, in its own key order. Null where the surface has none.
    pub body: Value,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Every text in the body, in wire order, with its JSON pointer.
    pub fields: Vec<TextField>,
    /// What is in the body but cannot be judged.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Names of the tools offered.
    pub tools: Vec<String>,
    /// The end user as the body states it: `user`, else `safety_identifier`, else
    /// `metadata.user_id`.
    pub user: Option<String>,
    /// The session as the body states it: `metadata.session_id`, else the conversation's id.
    pub session: Option<String>,
    /// Everything that steers sampling, as set.
    pub parameters: Map<String, Value>,
    /// Every use of something kept at the provider.
    pub provider_state: Vec<ProviderStateUse>,
    /// Retrieved documents the client states in `metadata.quell_documents`.
    pub documents: Vec<DocumentRef>,
}

/// A use of something kept at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStateUse {
    /// What is used.
    pub kind: ProviderStateKind,
    /// Its id there; empty where there is none.
    pub id: String,
    /// The field that says so.
    pub pointer: String,
}

/// What can be kept at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderStateKind {
    /// An earlier response (`previous_response_id`).
    PreviousResponse,
    /// A conversation.
    Conversation,
    /// A stored prompt template.
    PromptTemplate,
    /// One stored item.
    ItemReference,
    /// An uploaded file.
    File,
    /// A container and the files in it.
    Container,
    /// A vector store that is searched.
    VectorStore,
    /// The answer is fetched later, past the gateway (`background`).
    Background,
    /// The exchange is kept for later use (`store: true`).
    Store,
}

impl ProviderStateKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreviousResponse => "previous_response_id",
            Self::Conversation => "conversation",
            Self::PromptTemplate => "prompt_template",
            Self::ItemReference => "item_reference",
            Self::File => "file",
            Self::Container => "container",
            Self::VectorStore => "vector_store",
            Self::Background => "background",
            Self::Store => "store",
        }
    }

    /// Whether text of this exchange passes the gateway unseen. Only `store` does not: it makes a
    /// later exchange do so.
    pub const fn hides_text(self) -> bool {
        !matches!(self, Self::Store)
    }
}

/// Reads a request body. `Models` has no body and `Forwarded` is not read: both give an empty
/// request, the latter marked `unsupported_surface`.
pub fn parse_request(endpoint: Endpoint, body: &[u8]) -> Result<ParsedRequest, WireError> {
    let body = match endpoint {
        Endpoint::Models | Endpoint::Forwarded => Value::Null,
        _ => json::parse_untrusted(body)?,
    };
    let derived = derive(endpoint, &body)?;
    Ok(derived.into_request(endpoint, body))
}

impl ParsedRequest {
    /// Derives everything from the body again, after it was changed.
    pub fn refresh(&mut self) -> Result<(), WireError> {
        let derived = derive(self.endpoint, &self.body)?;
        let body = std::mem::take(&mut self.body);
        *self = derived.into_request(self.endpoint, body);
        Ok(())
    }

    /// Uses of provider state through which text passes the gateway unseen.
    pub fn hidden_state(&self) -> impl Iterator<Item = &ProviderStateUse> {
        self.provider_state.iter().filter(|state| state.kind.hides_text())
    }
}

/// All system text, in order, joined by blank lines.
pub fn system_text(request: &ParsedRequest) -> String {
    let texts =
        request.fields.iter().filter(|field| field.role == Role::System && field.part == "system");
    texts.map(|field| field.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

/// The text of the last user turn, its parts joined by line breaks.
pub fn last_user_text(request: &ParsedRequest) -> String {
    let turns = || {
        let spoken = request.fields.iter().filter(|field| field.role == Role::User);
        spoken.filter(|field| matches!(field.part.as_str(), "content" | "embedding_input"))
    };
    let Some(last) = turns().next_back() else { return String::new() };
    let turn = turn_of(&last.field);
    let texts = turns().filter(|field| turn_of(&field.field) == turn);
    texts.map(|field| field.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// The first two segments of a pointer: the container and the index of the turn in it.
fn turn_of(pointer: &str) -> &str {
    let mut slashes = memchr::memchr_iter(b'/', pointer.as_bytes()).skip(2);
    slashes.next().map_or(pointer, |end| &pointer[..end])
}

fn derive(endpoint: Endpoint, body: &Value) -> Result<Reader, WireError> {
    let mut reader = Reader::default();
    match endpoint {
        Endpoint::Models => return Ok(reader),
        Endpoint::Forwarded => {
            reader.walk.skip("unsupported_surface");
            return Ok(reader);
        }
        _ => {}
    }
    let members = body.as_object().ok_or_else(|| WireError::wrong("", "a JSON object"))?;
    reader.model(members)?;
    for (key, value) in members {
        let read = match endpoint {
            Endpoint::ChatCompletions => chat::read,
            Endpoint::Completions => completions::read,
            Endpoint::Responses => responses::read,
            Endpoint::Embeddings => embeddings::read,
            Endpoint::Messages => messages::read,
            Endpoint::Models | Endpoint::Forwarded => continue,
        };
        let mark = reader.walk.enter(key);
        read(&mut reader, key, value)?;
        reader.walk.leave(mark);
    }
    for key in required(endpoint, members) {
        if !members.contains_key(*key) {
            return Err(WireError::Missing { pointer: format!("/{key}") });
        }
    }
    reader.walk.check()?;
    Ok(reader)
}

fn required(endpoint: Endpoint, members: &Map<String, Value>) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["messages"],
        Endpoint::Messages => &["messages", "max_tokens"],
        Endpoint::Completions => &["prompt"],
        Endpoint::Responses
            if ["prompt", "previous_response_id", "conversation"]
                .iter()
                .any(|key| members.contains_key(*key)) =>
        {
            &[]
        }
        Endpoint::Embeddings | Endpoint::Responses => &["input"],
        Endpoint::Models | Endpoint::Forwarded => &[],
    }
}

/// Collects one request while its members are read in order.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) walk: Walk,
    pub(crate) tools: Vec<String>,
    pub(crate) session: Option<String>,
    model: Option<String>,
    stream: bool,
    user: [Option<String>; 3],
    parameters: Map<String, Value>,
    documents: Vec<DocumentRef>,
}

impl Reader {
    fn model(&mut self, members: &Map<String, Value>) -> Result<(), WireError> {
        self.model = match members.get("model") {
            None => None,
            Some(Value::String(model)) => Some(model.clone()),
            Some(_) => return Err(WireError::wrong("/model", "a string")),
        };
        self.stream = match members.get("stream") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(stream)) => *stream,
            Some(_) => return Err(WireError::wrong("/stream", "true or false")),
        };
        Ok(())
    }

    /// A member of the body that more than one endpoint has, or that none is known to have.
    pub(crate) fn shared(&mut self, key: &str, value: &Value) -> Result<(), WireError> {
        match key {
            "user" => self.user[0] = self.claim(value, "a string")?,
            "safety_identifier" => self.user[1] = self.claim(value, "a string")?,
            "metadata" => self.metadata(value)?,
            "tools" | "functions" => self.definitions(value)?,
            "tool_choice" | "function_call" => self.choice(key, value),
            "store" | "background" => self.stored(key, value),
            "stream" | "stream_options" => {}
            "stop" | "stop_sequences" => {
                self.parameter(key, value);
                self.walk.free(value, Voice::new(Role::User, "stop"));
            }
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                if !(value.is_null() || value.is_u64()) {
                    return Err(WireError::wrong(self.walk.path(), "a whole number"));
                }
                self.parameter(key, value);
            }
            _ => {
                if PARAMETERS.binary_search(&key).is_err() {
                    self.walk.unknown(key, value, Role::User);
                } else {
                    self.parameter(key, value);
                    self.walk.settings(value);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn parameter(&mut self, key: &str, value: &Value) {
        self.parameters.insert(key.to_owned(), value.clone());
    }

    /// Who the body says the user is. Not text, unless it is shaped like text.
    fn claim(
        &mut self,
        value: &Value,
        expected: &'static str,
    ) -> Result<Option<String>, WireError> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => {
                if !crate::keys::is_identifier(text) {
                    self.walk.text(text, Voice::new(Role::User, "other"));
                }
                Ok(Some(text.clone()).filter(|text| !text.is_empty()))
            }
            _ => Err(WireError::wrong(self.walk.path(), expected)),
        }
    }

    fn metadata(&mut self, value: &Value) -> Result<(), WireError> {
        let members = match value {
            Value::Null => return Ok(()),
            Value::Object(members) => members,
            _ => return Err(WireError::wrong(self.walk.path(), "an object")),
        };
        let text =
            |key: &str| members.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        self.user[2] = text("user_id").map(ToOwned::to_owned);
        self.session = text("session_id").map(ToOwned::to_owned).or(self.session.take());
        self.documents = text("quell_documents").map(documents).unwrap_or_default();
        self.walk.free(value, Voice::new(Role::User, "metadata"));
        Ok(())
    }

    /// Tool definitions: text, and the names they offer.
    pub(crate) fn definitions(&mut self, value: &Value) -> Result<(), WireError> {
        let definitions = match value {
            Value::Null => return Ok(()),
            Value::Array(definitions) => definitions,
            _ => return Err(WireError::wrong(self.walk.path(), "an array")),
        };
        for (index, definition) in definitions.iter().enumerate() {
            let members = definition.as_object();
            let expected =
                || WireError::wrong(format!("{}/{index}", self.walk.path()), "an object");
            self.tools.extend(crate::tools::names(members.ok_or_else(expected)?));
            self.walk.element(index, |walk| walk.definition(definition));
        }
        Ok(())
    }

    fn choice(&mut self, key: &str, value: &Value) {
        let plain = value.as_str().is_some_and(|text| crate::keys::is_protocol(key, text));
        if !plain {
            self.walk.definition(value);
        }
    }

    fn stored(&mut self, key: &str, value: &Value) {
        let kind =
            if key == "store" { ProviderStateKind::Store } else { ProviderStateKind::Background };
        if value == &Value::Bool(true) {
            let pointer = self.walk.path().to_owned();
            self.walk.kept.push(ProviderStateUse { kind, id: String::new(), pointer });
        } else {
            self.walk.unknown(key, value, Role::User);
        }
    }

    fn into_request(self, endpoint: Endpoint, body: Value) -> ParsedRequest {
        let [user, safety_identifier, metadata_user] = self.user;
        ParsedRequest {
            endpoint,
            body,
            model: self.model,
            stream: self.stream,
            fields: self.walk.fields,
            not_evaluated: self.walk.not_evaluated,
            tools: self.tools,
            user: user.or(safety_identifier).or(metadata_user),
            session: self.session,
            parameters: self.parameters,
            provider_state: self.walk.kept,
            documents: self.documents,
        }
    }
}

/// Members of a body that steer sampling. Strings in them are inspected unless they are enums.
const PARAMETERS: &[&str] = &[
    "audio",
    "best_of",
    "dimensions",
    "echo",
    "encoding_format",
    "frequency_penalty",
    "include",
    "logit_bias",
    "logprobs",
    "max_tool_calls",
    "min_p",
    "modalities",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "repetition_penalty",
    "seed",
    "service_tier",
    "speed",
    "temperature",
    "thinking",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "verbosity",
];

/// `id` or `id=sha256hex`, comma separated. What is not a digest belongs to the id.
fn documents(list: &str) -> Vec<DocumentRef> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| match entry.rsplit_once('=') {
            Some((id, digest)) if is_sha256(digest) => {
                DocumentRef { id: id.trim().to_owned(), sha256: Some(digest.to_ascii_lowercase()) }
            }
            _ => DocumentRef { id: entry.to_owned(), sha256: None },
        })
        .collect()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
