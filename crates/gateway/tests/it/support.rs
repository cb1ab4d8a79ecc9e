//! A gateway between a scripted upstream and a stand-in for control.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Collected};
use quell_domain::application::{Application, KeyBinding, Upstream};
use quell_domain::canonical::sha256_hex;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::interaction::Interaction;
use quell_domain::measure::{Effect, Target};
use quell_domain::snapshot::SnapshotContent;
use quell_domain::{Actor, ApiKeyId, Measure, MeasureId, MeasureState, SystemClock, SystemIds};
use quell_gateway::{Gateway, GatewayOptions};
use quell_outbound::{UpstreamClient, UpstreamOptions, full_body};
use quell_testkit::{ControlStandIn, NODE_TOKEN, ScriptedUpstream};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "qk_shop";
pub(crate) const BOUND_KEY: &str = "qk_ada";

pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: ScriptedUpstream,
    pub(crate) control: ControlStandIn,
    pub(crate) data: tempfile::TempDir,
    pub(crate) clock: SharedClock,
    pub(crate) ids: SharedIds,
    pub(crate) client: UpstreamClient,
    pub(crate) content: SnapshotContent,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A gateway for the application `shop`, with `change` applied to it.
    pub(crate) async fn with(change: impl FnOnce(&mut SnapshotContent)) -> Self {
        Self::with_options(change, |_| {}).await
    }

    /// As [`Rig::with`], with `options` applied to the process's settings.
    pub(crate) async fn with_options(
        change: impl FnOnce(&mut SnapshotContent),
        options: impl FnOnce(&mut GatewayOptions),
    ) -> Self {
        Self::at(Arc::new(SystemClock::new()), change, options).await
    }

    /// As [`Rig::with_options`], by this clock.
    pub(crate) async fn at(
        clock: SharedClock,
        change: impl FnOnce(&mut SnapshotContent),
        options: impl FnOnce(&mut GatewayOptions),
    ) -> Self {
        let ids: SharedIds = Arc::new(SystemIds::new(Arc::clone(&clock)));
        let upstream = ScriptedUpstream::start().await;
        let control = ControlStandIn::start().await;
        let data = tempfile::tempdir().unwrap();
        let mut content = content(&ids, &upstream.base_url());
        change(&mut content);
        let epoch = control.publish(content.clone());
        let gateway = start_gateway_with(data.path(), &control.url(), &clock, &ids, options).await;
        control.wait_for_epoch(epoch).await;
        let client = UpstreamClient::new(&UpstreamOptions::default()).unwrap();
        Self { gateway, upstream, control, data, clock, ids, client, content }
    }

    /// A chat request with the application's key.
    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", &[("authorization", "Bearer qk_shop")], body.to_string())
            .await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.send(Method::POST, path, headers, body.into()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway.address()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(full_body(body)).unwrap();
        let response = self.client.send(request, Duration::from_secs(20)).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// A measure in force on `shop` for an hour.
    pub(crate) fn measure(&self, target: Target, effect: Effect) -> Measure {
        measure(&self.clock, &self.ids, target, effect)
    }

    /// Puts measures into force and waits until the gateway runs on them.
    pub(crate) async fn enforce(&self, measures: Vec<Measure>) -> u64 {
        let epoch = self.control.publish(SnapshotContent { measures, ..self.content.clone() });
        self.control.wait_for_epoch(epoch).await;
        epoch
    }

    /// Everything in the interaction log, oldest first, once `count` are there.
    pub(crate) async fn records(&self, count: usize) -> Vec<Interaction> {
        for _ in 0..200 {
            let records = read_log(self.data.path(), self.gateway.name());
            if records.len() >= count {
                return records;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} records do not come");
    }
}

/// A measure in force on `shop` for an hour.
pub(crate) fn measure(
    clock: &SharedClock,
    ids: &SharedIds,
    target: Target,
    effect: Effect,
) -> Measure {
    let now = clock.now();
    Measure {
        id: MeasureId::new(&**ids),
        application: "shop".into(),
        target,
        approval: (effect == Effect::Shutdown).then(|| quell_domain::ApprovalId::new(&**ids)),
        effect,
        reason: "test".into(),
        incident: None,
        actor: Actor::User("ada".into()),
        expires_at: Some(now + jiff::SignedDuration::from_hours(1)),
        state: MeasureState::Requested,
        created_at: now,
        requested_at: Some(now),
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 0,
        detail: None,
        version: 1,
    }
}

pub(crate) fn read_log(data: &Path, gateway: &str) -> Vec<Interaction> {
    let dir = quell_lake::log_dir(&data.join("lake"), gateway);
    let mut reader = quell_lake::LogReader::open(&dir);
    let records = reader.read_after(0, 100_000, 1 << 30).unwrap();
    records.iter().map(|record| serde_json::from_slice(&record.payload).unwrap()).collect()
}

pub(crate) async fn start_gateway(
    data: &Path,
    control: &str,
    clock: &SharedClock,
    ids: &SharedIds,
) -> Gateway {
    start_gateway_with(data, control, clock, ids, |_| {}).await
}

pub(crate) async fn start_gateway_with(
    data: &Path,
    control: &str,
    clock: &SharedClock,
    ids: &SharedIds,
    change: impl FnOnce(&mut GatewayOptions),
) -> Gateway {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let token = SecretString::from(NODE_TOKEN.to_owned());
    let mut options = GatewayOptions {
        outbound_allow: vec!["127.0.0.1".into()],
        ..GatewayOptions::new("gw-test", data.to_owned(), control, token)
    };
    change(&mut options);
    Gateway::start(options, listener, Arc::clone(clock), Arc::clone(ids)).unwrap()
}

pub(crate) fn content(ids: &SharedIds, upstream: &str) -> SnapshotContent {
    let mut shop = Application::new("shop", vec!["model".into()]);
    shop.contact = "help desk".into();
    let mut open = Application::new("open", vec!["model".into()]);
    open.pass_through = true;
    let key = |text: &str, user: Option<&str>| KeyBinding {
        id: ApiKeyId::new(&**ids),
        sha256: sha256_hex(text.as_bytes()),
        application: "shop".into(),
        user: user.map(str::to_owned),
        expires_at: None,
    };
    SnapshotContent {
        applications: vec![shop, open],
        upstreams: vec![Upstream::new("model", upstream)],
        keys: vec![key(KEY, None), key(BOUND_KEY, Some("ada"))],
        content: Vec::new(),
        measures: Vec::new(),
        lifting: Vec::new(),
        model: None,
        shadow_model: None,
    }
}

pub(crate) fn ask(text: &str) -> Value {
    json!({"model": "m-1", "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn ask_stream(text: &str) -> Value {
    json!({"model": "m-1", "stream": true, "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1-served",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    })
}

/// A chat stream of these deltas, with its end.
pub(crate) fn chat_stream(deltas: &[&str]) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let data = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {data}\n\n")
    };
    let mut chunks = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    chunks.extend(deltas.iter().map(|text| chunk(json!({"content": text}), Value::Null)));
    chunks.push(chunk(json!({}), json!("stop")));
    chunks.push("data: [DONE]\n\n".into());
    chunks
}

/// The text a chat client would have put together.
pub(crate) fn streamed(body: &str) -> String {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| Some(chunk.pointer("/choices/0/delta/content")?.as_str()?.to_owned()))
        .collect()
}
