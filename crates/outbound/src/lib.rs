//! The only HTTP client in the tree.
//!
//! Two kinds of destination, two clients:
//! - [`UpstreamClient`]: model endpoints the operator configured. They may be private; connections
//!   are pooled; the body streams.
//! - [`GuardedClient`]: every URL that comes from content, users or webhook settings. The address
//!   is resolved once, checked, and that checked address is connected to.
//!
//! Neither follows redirects nor reads proxy settings from the environment. Both state every
//! limit: connecting, waiting, silence, size.

mod address;
mod body;
mod connect;
mod error;
mod guarded;
mod signature;
mod tls;
mod upstream;

pub use address::is_public;
pub use body::{BoxError, IdleBody, RequestBody, full_body, read_body, with_idle_timeout};
pub use error::OutboundError;
pub use guarded::{
    GuardOptions, GuardedClient, GuardedResponse, Refused, Resolve, Resolving, SystemResolver,
};
pub use signature::{SIGNATURE_HEADER, SignatureError, sign, verify};
pub use upstream::{UpstreamClient, UpstreamOptions};
