//! Why a request did not get its answer.

use std::time::Duration;

use crate::body::BoxError;
use crate::guarded::Refused;

/// Why a request did not get its answer. Texts never carry bodies, headers or secrets.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No connection came about. Nothing was sent, so trying again is safe.
    #[error("cannot connect to {host}")]
    Connect {
        /// Where to.
        host: String,
        /// What went wrong.
        source: BoxError,
    },
    /// A connection came about, but not the TLS session on it. Nothing was sent.
    #[error("no TLS session with {host}: check its certificate and whether it speaks TLS there")]
    Tls {
        /// Where to.
        host: String,
        /// What went wrong.
        source: BoxError,
    },
    /// The request was sent, or part of it, and no response headers came.
    #[error("{host} sent no response headers within {} ms", after.as_millis())]
    HeaderTimeout {
        /// Where to.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// A body stayed silent.
    #[error("the body stayed silent for {} ms", after.as_millis())]
    IdleTimeout {
        /// The limit.
        after: Duration,
    },
    /// The whole exchange took too long.
    #[error("the exchange with {host} took longer than {} ms", after.as_millis())]
    TotalTimeout {
        /// Where to.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke or the other side does not speak HTTP.
    #[error("the connection broke or its bytes are not HTTP")]
    Protocol(#[source] BoxError),
    /// The body is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// This machine cannot speak TLS at all.
    #[error("TLS cannot be set up on this machine")]
    TlsSetup(#[source] BoxError),
    /// The destination is not allowed.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl OutboundError {
    /// Whether it is certain that nothing of the request left: trying again repeats nothing.
    pub const fn nothing_was_sent(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Tls { .. } | Self::TlsSetup(_) | Self::Refused(_)
        )
    }
}
