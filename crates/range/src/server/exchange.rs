//! One request: route → read → check the key → meet a fault or an answer → write.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Counters;
use super::reply_body::{self, Ending, ReplyBody};
use crate::ask::{Ask, BadRequest};
use crate::config::RangeConfig;
use crate::fault::{self, Fault};
use crate::model::{Bend, Model};
use crate::wire::error::Dialect;
use crate::wire::{self, Answer, Frame};

const MAX_BODY_BYTES: usize = 12 * 1024 * 1024;
const BODY_TIME: Duration = Duration::from_mins(1);
/// Questions whose repetitions are counted. Past it every new question counts as the first.
const MAX_QUESTIONS: usize = 65_536;
/// How much longer a slow answer takes.
const SLOWER: u32 = 20;

/// Everything requests share.
#[derive(Debug)]
pub(super) struct Range {
    config: RangeConfig,
    model: Model,
    pub(super) counters: Counters,
    asked: Mutex<HashMap<[u8; 32], u64>>,
}

/// A surface of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    Models,
}

/// A question with everything that decides its answer.
struct Question {
    route: Route,
    ask: Ask,
    occurrence: u64,
    id: String,
    fault: Option<Fault>,
}

impl Range {
    pub(super) fn new(config: RangeConfig) -> Self {
        let model = Model::new(&config);
        Self { config, model, counters: Counters::default(), asked: Mutex::default() }
    }

    /// Answers one request. Never fails: what goes wrong is an answer too.
    pub(super) async fn handle(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let route = route(&head.method, head.uri.path());
        self.count(route);
        let dialect = dialect(route, &head.headers);
        let Some(route) = route else {
            let message = format!("Invalid URL ({} {})", head.method, head.uri.path());
            return refuse(dialect, 404, &message, None, "0");
        };
        if !self.knows_key(&head.headers) {
            return refuse(dialect, 401, "Incorrect API key provided.", None, "0");
        }
        if route == Route::Models {
            return models(dialect, head.uri.path());
        }
        let body = match read_object(body).await {
            Ok(body) => body,
            Err((status, message)) => return refuse(dialect, status, &message, None, "0"),
        };
        let answered = if route == Route::Embeddings {
            wire::embedding::whole(self.config.seed, &body).map(|whole| json(&whole, "0"))
        } else {
            match self.question(route, &body) {
                Ok(question) => Ok(self.answer(&question, dialect).await),
                Err(bad) => Err(bad),
            }
        };
        answered.unwrap_or_else(|bad| refuse(dialect, 400, &bad.message, bad.param, "0"))
    }

    fn question(&self, route: Route, body: &Map<String, Value>) -> Result<Question, BadRequest> {
        let ask = match route {
            Route::Messages => Ask::messages(body),
            Route::Responses => Ask::responses(body),
            Route::Completions => Ask::completion(body),
            Route::Chat | Route::Embeddings | Route::Models => Ask::chat(body),
        }?;
        let transcript = ask.transcript();
        let digest: [u8; 32] = Sha256::digest(transcript.as_bytes()).into();
        let occurrence = self.occurrence(digest);
        let mut id = Sha256::new();
        id.update(self.config.seed.to_le_bytes());
        id.update(digest);
        id.update(occurrence.to_le_bytes());
        let id = hex::encode(id.finalize()).chars().take(29).collect();
        let fault = fault::fault(&self.config, &ask.model, &transcript, occurrence);
        Ok(Question { route, ask, occurrence, id, fault })
    }

    /// How often this question was asked before.
    fn occurrence(&self, digest: [u8; 32]) -> u64 {
        let mut asked = self.asked.lock();
        if !asked.contains_key(&digest) && asked.len() >= MAX_QUESTIONS {
            return 0;
        }
        let times = asked.entry(digest).or_insert(0);
        *times += 1;
        *times - 1
    }

    async fn answer(&self, question: &Question, dialect: Dialect) -> Response<ReplyBody> {
        let id = &question.id;
        match question.fault {
            Some(Fault::RateLimited) => {
                return refuse(dialect, 429, "Rate limit reached. Try again in 1s.", None, id);
            }
            Some(Fault::ServerError) => {
                return refuse(dialect, 500, "The server had an error.", None, id);
            }
            Some(Fault::Hang) => {
                tokio::time::sleep(Duration::from_millis(self.config.hang_ms)).await;
                return refuse(dialect, 504, "The model did not answer in time.", None, id);
            }
            _ => {}
        }
        let (frames, whole) = self.write(question);
        let slower = if question.fault == Some(Fault::Slow) { SLOWER } else { 1 };
        let first = Duration::from_millis(self.config.first_token_ms) * slower;
        if question.ask.stream {
            let interval = Duration::from_millis(self.config.token_interval_ms) * slower;
            let ending = self.ending(question.fault);
            return event_stream(reply_body::events(frames, first, interval, ending), id);
        }
        if !first.is_zero() {
            tokio::time::sleep(first).await;
        }
        match self.ending(question.fault) {
            Ending::Whole => json(&whole, id),
            broken => {
                let text = whole.to_string();
                let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
                let (head, tail) = text.split_at(middle.unwrap_or(0));
                let pieces = [head, tail].map(|text| Frame { text: text.into(), paced: false });
                let body =
                    reply_body::events(pieces.into(), Duration::ZERO, Duration::ZERO, broken);
                respond(StatusCode::OK, "application/json", body, id)
            }
        }
    }

    /// The answer as events or whole, whichever was asked for; the other is empty.
    fn write(&self, question: &Question) -> (Vec<Frame>, Value) {
        let bend = match question.fault {
            Some(Fault::Repeat) => Bend::Repeat,
            Some(Fault::Huge) => Bend::Huge,
            _ => Bend::None,
        };
        let ask = &question.ask;
        // A huge answer comes once, whatever `n` says: it is held in memory.
        let choices = if bend == Bend::Huge { 1 } else { ask.n };
        let replies = (0..choices)
            .map(|index| self.model.reply(ask, question.occurrence, index, bend))
            .collect();
        let answer = Answer { ask, replies, id: question.id.clone() };
        match (question.route, ask.stream) {
            (Route::Messages, true) => (wire::anthropic::events(&answer), Value::Null),
            (Route::Messages, false) => (Vec::new(), wire::anthropic::whole(&answer)),
            (Route::Responses, true) => (wire::responses::events(&answer), Value::Null),
            (Route::Responses, false) => (Vec::new(), wire::responses::whole(&answer)),
            (Route::Completions, true) => (wire::completion::events(&answer), Value::Null),
            (Route::Completions, false) => (Vec::new(), wire::completion::whole(&answer)),
            (_, true) => (wire::chat::events(&answer), Value::Null),
            (_, false) => (Vec::new(), wire::chat::whole(&answer)),
        }
    }

    fn ending(&self, fault: Option<Fault>) -> Ending {
        match fault {
            Some(Fault::Stall) => Ending::Stalled(Duration::from_millis(self.config.hang_ms)),
            Some(Fault::BrokenSse) => Ending::Torn,
            Some(Fault::Disconnect) => Ending::Dropped,
            _ => Ending::Whole,
        }
    }

    fn knows_key(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.config.api_key else { return true };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        [bearer, text("x-api-key")].contains(&Some(expected.as_str()))
    }

    fn count(&self, route: Option<Route>) {
        let counters = &self.counters;
        let counter: &AtomicU64 = match route {
            Some(Route::Chat) => &counters.chat_completions,
            Some(Route::Completions) => &counters.completions,
            Some(Route::Responses) => &counters.responses,
            Some(Route::Embeddings) => &counters.embeddings,
            Some(Route::Messages) => &counters.messages,
            Some(Route::Models) => &counters.models,
            None => &counters.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn route(method: &Method, path: &str) -> Option<Route> {
    match (method.as_str(), path) {
        ("POST", "/v1/chat/completions") => Some(Route::Chat),
        ("POST", "/v1/completions") => Some(Route::Completions),
        ("POST", "/v1/responses") => Some(Route::Responses),
        ("POST", "/v1/embeddings") => Some(Route::Embeddings),
        ("POST", "/v1/messages") => Some(Route::Messages),
        ("GET", path) if path == "/v1/models" || path.starts_with("/v1/models/") => {
            Some(Route::Models)
        }
        _ => None,
    }
}

fn dialect(route: Option<Route>, headers: &HeaderMap) -> Dialect {
    let speaks_anthropic = headers.contains_key("anthropic-version");
    if route == Some(Route::Messages) || (route.is_none() && speaks_anthropic) {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    }
}

fn models(dialect: Dialect, path: &str) -> Response<ReplyBody> {
    match path.strip_prefix("/v1/models/") {
        None => json(&wire::models(), "0"),
        Some(id) if wire::MODELS.contains(&id) => json(&wire::model(id), "0"),
        Some(id) => refuse(dialect, 404, &format!("The model '{id}' does not exist"), None, "0"),
    }
}

async fn read_object(body: Incoming) -> Result<Map<String, Value>, (u16, String)> {
    let read = Limited::new(body, MAX_BODY_BYTES).collect();
    let bytes = match tokio::time::timeout(BODY_TIME, read).await {
        Err(_) => return Err((408, "The request body did not arrive in time.".into())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err((413, format!("The request body is larger than {MAX_BODY_BYTES} bytes.")));
        }
        Ok(Err(_)) => return Err((400, "The request body could not be read.".into())),
        Ok(Ok(body)) => body.to_bytes(),
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err((400, "The request body must be a JSON object.".into())),
        Err(_) => Err((400, "We could not parse the JSON body of your request.".into())),
    }
}

fn refuse(
    dialect: Dialect,
    status: u16,
    message: &str,
    param: Option<&str>,
    id: &str,
) -> Response<ReplyBody> {
    let body = wire::error::body(dialect, status, message, param, id);
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(code, "application/json", reply_body::whole(body.to_string()), id);
    if status == 429 {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

fn json(value: &Value, id: &str) -> Response<ReplyBody> {
    respond(StatusCode::OK, "application/json", reply_body::whole(value.to_string()), id)
}

fn event_stream(body: ReplyBody, id: &str) -> Response<ReplyBody> {
    respond(StatusCode::OK, "text/event-stream; charset=utf-8", body, id)
}

fn respond(
    status: StatusCode,
    kind: &'static str,
    body: ReplyBody,
    id: &str,
) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    if let Ok(id) = header::HeaderValue::from_str(&format!("req_{id}")) {
        // OpenAI's name and Anthropic's.
        headers.insert("x-request-id", id.clone());
        headers.insert("request-id", id);
    }
    response
}
