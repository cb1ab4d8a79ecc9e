//! Whom TLS trusts: the machine's certificate store, else the one compiled in.

use std::sync::{Arc, OnceLock};

use hyper_rustls::ConfigBuilderExt as _;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

use crate::error::OutboundError;

/// One client configuration per process: reading the certificate store takes milliseconds.
pub(crate) fn client_config() -> Result<Arc<ClientConfig>, OutboundError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let wants_client_certificate = match builder()?.with_native_roots() {
        Ok(native) => native,
        Err(error) => {
            tracing::info!(%error, "no certificates on this machine; using the compiled-in roots");
            builder()?.with_webpki_roots()
        }
    };
    let mut config = wants_client_certificate.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, OutboundError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::TlsSetup(error.into()))
}
