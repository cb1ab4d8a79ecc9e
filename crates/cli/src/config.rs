//! Process settings: one TOML file, strict keys, every default written down in
//! `config.default.toml`, which is parsed first and thus cannot lie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// The commented defaults.
pub(crate) const DEFAULT: &str = include_str!("config.default.toml");

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where state lives.
    pub(crate) data_dir: PathBuf,
    /// Log level.
    pub(crate) log: String,
    /// Log format.
    pub(crate) log_format: LogFormat,
    /// The data plane.
    pub(crate) gateway: GatewayConfig,
    /// The control plane.
    pub(crate) control: ControlConfig,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `[gateway]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayConfig {
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Name in reports and logs.
    pub(crate) name: String,
    /// Control's base URL.
    pub(crate) control_url: String,
    /// Secret reference of the node token; empty: `node.token` in the data directory.
    pub(crate) node_token: String,
    /// Proxies that are believed.
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Private hosts that webhooks may reach.
    pub(crate) outbound_allow: Vec<String>,
    /// Requests in flight.
    pub(crate) concurrent: u32,
    /// Connections.
    pub(crate) connections: u32,
    /// Bytes of a head.
    pub(crate) header_bytes: usize,
    /// Fields of a head.
    pub(crate) header_fields: usize,
    /// Drain time.
    pub(crate) drain_seconds: u64,
    /// A classifier of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) second_opinion: Option<SecondOpinionConfig>,
}

/// `[gateway.second_opinion]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondOpinionConfig {
    /// The model, in ONNX.
    pub(crate) model: PathBuf,
    /// Its tokenizer.
    pub(crate) tokenizer: PathBuf,
    /// The label that means an attack.
    #[serde(default = "one")]
    pub(crate) label: usize,
    /// Probability from which it calls a text an attack.
    #[serde(default = "half")]
    pub(crate) threshold: f32,
    /// Score of the shipped classifier from which it is asked.
    #[serde(default = "low")]
    pub(crate) low: f32,
    /// Score below which it is asked.
    #[serde(default = "high")]
    pub(crate) high: f32,
    /// Tokens read at once.
    #[serde(default = "tokens")]
    pub(crate) tokens: usize,
    /// Texts judged at once.
    #[serde(default = "one")]
    pub(crate) parallel: usize,
}

const fn one() -> usize {
    1
}
const fn half() -> f32 {
    0.5
}
const fn low() -> f32 {
    0.1
}
const fn high() -> f32 {
    0.9
}
const fn tokens() -> usize {
    256
}

/// `[control]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlConfig {
    /// Where API and console listen.
    pub(crate) listen: SocketAddr,
    /// Database URL or secret reference; empty: SQLite in the data directory.
    pub(crate) database: String,
    /// Console links; empty: from `listen`.
    pub(crate) public_url: String,
}

impl Config {
    /// The defaults, with `path` on top if given.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let mut table: toml::Table = DEFAULT.parse().context("the embedded defaults")?;
        if let Some(path) = path {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the config file {}", path.display()))?;
            let own: toml::Table =
                text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
            overlay(&mut table, own);
        }
        let place = path.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
        let config: Self =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
                anyhow::anyhow!("{place}: at `{}`: {}", error.path(), error.inner())
            })?;
        config.check().with_context(|| place)?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let name = &self.gateway.name;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if name.is_empty() || name.len() > 32 || !name.chars().all(fits) {
            bail!("gateway.name: {name:?} must be 1 to 32 of a-z 0-9 - .");
        }
        if !matches!(self.log.as_str(), "error" | "warn" | "info" | "debug" | "trace") {
            bail!("log: {:?} is not one of error, warn, info, debug, trace", self.log);
        }
        if self.gateway.concurrent == 0 || self.gateway.connections == 0 {
            bail!("gateway.concurrent and gateway.connections must be at least 1");
        }
        if let Some(second) = &self.gateway.second_opinion
            && !(second.low < second.high && second.low >= 0.0)
        {
            bail!("gateway.second_opinion: low must be at least 0 and less than high");
        }
        if self.gateway.header_bytes < 8_192 {
            bail!("gateway.header_bytes must be at least 8192");
        }
        if !self.gateway.control_url.starts_with("http://")
            && !self.gateway.control_url.starts_with("https://")
        {
            bail!("gateway.control_url must start with http:// or https://");
        }
        Ok(())
    }

    /// The database URL, with a secret reference resolved.
    pub(crate) fn database_url(&self) -> anyhow::Result<String> {
        let database = &self.control.database;
        if database.is_empty() {
            let path = self.data_dir.join("quell.db");
            return Ok(format!("sqlite://{}?mode=rwc", path.display()));
        }
        if database.starts_with("env:") || database.starts_with("file:") {
            use secrecy::ExposeSecret;
            let secret = quell_gateway::secrets::resolve(database).context("control.database")?;
            return Ok(secret.expose_secret().to_owned());
        }
        Ok(database.clone())
    }

    /// How commands on this machine reach control.
    pub(crate) fn local_url(&self) -> String {
        let listen = self.control.listen;
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, listen.port()))
    }

    /// The settings as they may be shown: without a password in the database's URL.
    pub(crate) fn shown(&self) -> Self {
        let mut shown = self.clone();
        if let Ok(mut url) = url::Url::parse(&self.control.database)
            && url.password().is_some()
            && url.set_password(Some("hidden")).is_ok()
        {
            shown.control.database = url.into();
        }
        shown
    }

    /// How people reach the console.
    pub(crate) fn public_url(&self) -> String {
        if self.control.public_url.is_empty() {
            format!("http://{}", self.control.listen)
        } else {
            self.control.public_url.trim_end_matches('/').to_owned()
        }
    }
}

/// Puts `over` on top of `base`, table by table. Keys unknown to `base` stay, so that the strict
/// pass names them.
fn overlay(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => overlay(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path())).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn defaults_load_and_listen_on_loopback_only() {
        let config = Config::load(None).unwrap();
        assert!(config.gateway.listen.ip().is_loopback());
        assert!(config.control.listen.ip().is_loopback());
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused_with_their_place() {
        for (text, place) in [
            ("[gateway]\nlisten_on = \"x\"", "listen_on"),
            ("[gateway]\nconcurrent = \"many\"", "gateway.concurrent"),
            ("[gateway.second_opinion]\nmodel = \"a.onnx\"", "tokenizer"),
            (
                "[gateway.second_opinion]\nmodel = \"a\"\ntokenizer = \"b\"\nlow = 0.9",
                "less than high",
            ),
            ("colour = 1", "colour"),
            ("log = \"loud\"", "loud"),
            ("[gateway]\nname = \"UPPER\"", "UPPER"),
            ("[control", "not TOML"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
    }

    #[test]
    fn passwords_are_not_shown_and_wildcards_are_reached_over_loopback() {
        let config = load(
            "[control]\ndatabase = \"postgres://quell:pw@db/quell\"\nlisten = \"0.0.0.0:9601\"",
        )
        .unwrap();
        assert_eq!(config.shown().control.database, "postgres://quell:hidden@db/quell");
        assert_eq!(config.local_url(), "http://127.0.0.1:9601");
    }

    #[test]
    fn a_partial_file_keeps_the_other_defaults() {
        let config = load("[gateway]\nname = \"gw-2\"").unwrap();
        assert_eq!(config.gateway.name, "gw-2");
        assert_eq!(config.gateway.concurrent, 4096);
    }
}
