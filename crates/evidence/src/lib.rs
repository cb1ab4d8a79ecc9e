//! Evidence that a stranger can verify: content-addressed items, a manifest that names them, and
//! a bundle (folder or tar) that is checked offline, with no server and no key.
//!
//! - [`Manifest`] is a versioned format; its canonical bytes have one SHA-256.
//! - [`BlobStore`] is the one seam through which item bytes are kept; [`FsBlobs`] keeps them at
//!   `evidence/{incident}/{sha256}`.
//! - [`write_dir`], [`write_tar`] export; [`verify()`] reads either, and takes it for hostile.
//!
//! A SHA-256 only shows that a bundle is the one its manifest digest stands for. Who keeps that
//! digest elsewhere (a timeline event, a letter) can show that nothing was changed since.

mod blobs;
mod bundle;
mod digest;
mod fs_blobs;
mod manifest;
mod tar;
mod verify;

pub use blobs::{BlobError, BlobStore};
pub use bundle::{BundleError, write_dir, write_tar};
pub use digest::{InvalidDigest, Sha256Digest};
pub use fs_blobs::FsBlobs;
pub use manifest::{
    CustodyAction, CustodyEvent, Item, MANIFEST_NAME, Manifest, ManifestError, ManifestV1,
};
pub use verify::{VerifyError, VerifyLimits, VerifyReport, verify};
