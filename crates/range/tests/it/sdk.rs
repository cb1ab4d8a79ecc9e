//! The official Python SDKs against the range. Needs a Python with `openai` and `anthropic`, named
//! by `QUELL_SDK_PYTHON`.

use quell_range::{RangeConfig, RangeServer};
use tokio::process::Command;

#[tokio::test]
async fn the_official_sdks_read_every_shape() {
    let Ok(python) = std::env::var("QUELL_SDK_PYTHON") else {
        println!("skipped: no QUELL_SDK_PYTHON");
        return;
    };
    let server =
        RangeServer::start(RangeConfig::certain(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/check.py");
    let output = Command::new(python)
        .args(["-I", script, &server.base_url()])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    server.shutdown().await;
}
