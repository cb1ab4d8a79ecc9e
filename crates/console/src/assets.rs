//! Style sheet, script and icon: embedded, named by content, cacheable for ever.

use std::sync::LazyLock;

use quell_domain::canonical::sha256_hex;
use serde::Serialize;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// `style.1a2b3c4d5e6f.css`.
    pub name: String,
    /// Media type.
    pub media: &'static str,
    /// The bytes.
    pub body: &'static str,
}

/// Where pages find them.
#[derive(Debug, Clone, Serialize)]
pub struct AssetPaths {
    /// Style sheet.
    pub css: String,
    /// Script.
    pub js: String,
    /// Favicon.
    pub icon: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css")),
        asset("app", "js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
        asset("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
});

fn asset(stem: &str, extension: &str, media: &'static str, body: &'static str) -> Asset {
    let hash = sha256_hex(body.as_bytes());
    Asset { name: format!("{stem}.{}.{extension}", &hash[..12]), media, body }
}

/// Every asset.
pub fn all() -> &'static [Asset] {
    &*ASSETS
}

/// The asset called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    all().iter().find(|asset| asset.name == name)
}

/// The paths under `prefix`.
pub(crate) fn paths(prefix: &str) -> AssetPaths {
    let [css, js, icon] = &*ASSETS;
    let path = |asset: &Asset| format!("{prefix}{}", asset.name);
    AssetPaths { css: path(css), js: path(js), icon: path(icon) }
}
