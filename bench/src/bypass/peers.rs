//! The guards that are tried: Quell's gateway, and peers where they are installed. Each is told of
//! the same plain phrases and planted string, and runs the strictest settings it offers offline.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use quell_domain::application::{Application, KeyBinding, Upstream};
use quell_domain::canonical::sha256_hex;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::snapshot::SnapshotContent;
use quell_domain::{ApiKeyId, SystemIds};
use quell_gateway::{Gateway, GatewayOptions};
use quell_outbound::{UpstreamClient, full_body};
use quell_testkit::{ControlStandIn, NODE_TOKEN};
use secrecy::SecretString;
use serde_json::json;

use super::cases::ATTACK;
use super::leaks::CANARY;

const KEY: &str = "qk_bypass";
/// The plain phrases, as every guard is told of them.
const PHRASES: [&str; 3] = ["ignore all previous instructions", "system prompt", "do anything now"];

/// Where to find the peers.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Installed {
    /// The `litellm` program of a Python environment with `litellm[proxy]`.
    #[arg(long)]
    pub litellm: Option<PathBuf>,
    /// A folder with `node_modules/@portkey-ai/gateway`.
    #[arg(long)]
    pub portkey: Option<PathBuf>,
}

/// One guard in front of the model.
pub(crate) struct Peer {
    pub name: String,
    address: SocketAddr,
    headers: HeaderMap,
    running: Running,
}

/// What keeps a guard running.
enum Running {
    Quell { _gateway: Gateway, control: Option<ControlStandIn> },
    Process(Child),
}

/// What a client got.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Peer {
    /// Sends one request and reads the whole answer.
    pub(crate) async fn ask(
        &self,
        client: &UpstreamClient,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::post(format!("http://{}{path}", self.address));
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let request = request.body(full_body(body))?;
        let response = client.send(request, Duration::from_mins(1)).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map(|all| all.to_bytes().to_vec());
        Ok(Answer { status, body: body.unwrap_or_default() })
    }

    /// Takes control away from Quell's gateway; a peer has nothing of the kind.
    pub(crate) fn lose_control(&mut self) -> bool {
        match &mut self.running {
            Running::Quell { control, .. } => control.take().is_some(),
            Running::Process(_) => false,
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Running::Process(child) = &mut self.running {
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Quell's gateway with the shipped content.
pub(crate) async fn quell(
    folder: &Path,
    upstream: &str,
    clock: &SharedClock,
) -> anyhow::Result<Peer> {
    let ids: SharedIds = std::sync::Arc::new(SystemIds::new(std::sync::Arc::clone(clock)));
    let mut application = Application::new("bypass", vec!["model".into()]);
    application.canaries = vec![CANARY.into()];
    let key = KeyBinding {
        id: ApiKeyId::new(&*ids),
        sha256: sha256_hex(KEY.as_bytes()),
        application: "bypass".into(),
        user: None,
        expires_at: None,
    };
    let control = ControlStandIn::start().await;
    let epoch = control.publish(SnapshotContent {
        applications: vec![application],
        upstreams: vec![Upstream::new("model", upstream)],
        keys: vec![key],
        content: Vec::new(),
        measures: Vec::new(),
        lifting: Vec::new(),
        model: None,
        shadow_model: None,
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let token = SecretString::from(NODE_TOKEN.to_owned());
    let options = GatewayOptions {
        outbound_allow: vec!["127.0.0.1".into()],
        ..GatewayOptions::new("bypass", folder.to_owned(), &control.url(), token)
    };
    let gateway = Gateway::start(options, listener, std::sync::Arc::clone(clock), ids)?;
    control.wait_for_epoch(epoch).await;
    let headers = bearer(KEY)?;
    let address = gateway.address();
    let running = Running::Quell { _gateway: gateway, control: Some(control) };
    Ok(Peer { name: "quell".into(), address, headers, running })
}

/// LiteLLM's proxy with its content filter before and after the call: every category about prompt
/// injection, its patterns for keys and cards, and the phrases as blocked words.
pub(crate) async fn litellm(
    program: &Path,
    folder: &Path,
    upstream: &str,
    client: &UpstreamClient,
) -> anyhow::Result<Peer> {
    let word = |keyword: &str| json!({"keyword": keyword, "action": "BLOCK"});
    let mut words: Vec<_> = PHRASES.iter().map(|phrase| word(phrase)).collect();
    words.push(word(CANARY));
    let pattern =
        |name: &str| json!({"pattern_type": "prebuilt", "pattern_name": name, "action": "BLOCK"});
    let category = |name: &str| json!({"category": name, "enabled": true, "action": "BLOCK", "severity_threshold": "low"});
    let patterns = ["visa", "credit_card", "aws_access_key"].map(pattern);
    let categories = ["jailbreak", "system_prompt", "data_exfiltration"]
        .map(|name| category(&format!("prompt_injection_{name}")));
    let config = json!({
        "model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": format!("{upstream}/v1"), "api_key": "none"}}],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        "guardrails": [{"guardrail_name": "filter", "litellm_params": {
            "guardrail": "litellm_content_filter", "mode": ["pre_call", "post_call"], "default_on": true,
            "patterns": patterns,
            "blocked_words": words,
            "categories": categories,
        }}],
    });
    let path = folder.join("litellm.yaml");
    std::fs::write(&path, config.to_string())?;
    let port = free_port()?;
    let master = format!("sk-{}", sha256_hex(folder.as_os_str().as_encoded_bytes()));
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(&path)
        .args(["--host", "127.0.0.1", "--num_workers", "1", "--port", &port.to_string()])
        .env("LITELLM_MASTER_KEY", &master)
        .env("LITELLM_LOG", "ERROR")
        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    let name = format!("LiteLLM {}", version(program));
    started(name, command, port, bearer(&master)?, client).await
}

/// Portkey's gateway with its word guard on the way in and out, set to deny.
pub(crate) async fn portkey(
    folder: &Path,
    upstream: &str,
    client: &UpstreamClient,
) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let package = folder.join("node_modules/@portkey-ai/gateway");
    let mut command = Command::new("node");
    command
        .arg(package.join("build/start-server.js"))
        .args(["--headless", &format!("--port={port}")])
        .env("TRUSTED_CUSTOM_HOSTS", "127.0.0.1")
        .env("NODE_ENV", "production");
    let mut words: Vec<&str> = PHRASES.to_vec();
    // Its word guard tells case apart: it is given the attack as it is written, too.
    words.extend([ATTACK, "Ignore all previous instructions", CANARY]);
    let guard = json!([
        {"default.contains": {"operator": "none", "words": words}, "deny": true, "id": "words"},
        {"default.regexMatch": {"rule": "AKIA[A-Z2-7]{16}|4111[ -]?1111[ -]?1111[ -]?1111", "not": true},
         "deny": true, "id": "secrets"},
    ]);
    let config = json!({"provider": "openai", "api_key": "none", "custom_host": format!("{upstream}/v1"),
        "input_guardrails": guard, "output_guardrails": guard});
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("x-portkey-config"),
        HeaderValue::from_str(&config.to_string())?,
    );
    let manifest =
        std::fs::read(package.join("package.json")).context("no Portkey gateway there")?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let name = format!("Portkey {}", manifest["version"].as_str().unwrap_or_default());
    started(name, command, port, headers, client).await
}

fn bearer(key: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {key}"))?);
    Ok(headers)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The version a Python environment has installed beside `program`.
fn version(program: &Path) -> String {
    let python = program.with_file_name("python");
    let ask = "import importlib.metadata as m; print(m.version('litellm'))";
    let said = Command::new(python).args(["-c", ask]).output().map(|out| out.stdout);
    String::from_utf8_lossy(&said.unwrap_or_default()).trim().to_owned()
}

/// Waits until a peer answers a harmless question.
async fn started(
    name: String,
    mut command: Command,
    port: u16,
    headers: HeaderMap,
    client: &UpstreamClient,
) -> anyhow::Result<Peer> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let peer = Peer { name, address, headers, running: Running::Process(child) };
    let body = super::cases::chat("Good morning!").to_string().into_bytes();
    for _ in 0..240 {
        if let Ok(answer) = peer.ask(client, "/v1/chat/completions", body.clone()).await
            && answer.status.is_success()
        {
            return Ok(peer);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("{} does not answer", peer.name)
}
