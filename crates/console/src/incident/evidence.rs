//! `/incidents/{number}/evidence/…`: check, capture, export.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use parking_lot::Mutex;

use crate::confirm::context::Confirm;
use crate::http::{Failure, Posted, Signed};
use crate::incident::handler::{back, find};
use crate::shell::Section;

/// Largest bundle handed out by the console. Larger ones are a matter for the command line.
const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// `POST /incidents/{number}/evidence/verify`
pub(crate) async fn verify(
    Path(name): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    let wrong = by.console.control.verify_evidence(&by.access, id).await?;
    if wrong.is_empty() {
        return Ok(back(&number, "verified"));
    }
    let list = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("; ");
    Err(Failure::new(409, format!("{} items are not what was preserved: {list}", wrong.len())))
}

/// `POST /incidents/{number}/evidence/capture`
pub(crate) async fn capture(
    Path(name): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    by.console.control.capture_evidence(&by.access, id).await?;
    Ok(back(&number, "snapshot"))
}

/// `GET /incidents/{number}/evidence/export`
pub(crate) async fn ask(by: Signed, Path(name): Path<String>) -> Result<Html<String>, Failure> {
    let (_, number) = find(&by, &name).await?;
    let href = format!("/incidents/{number}");
    let confirm = Confirm {
        title: format!("Export the evidence of {number}"),
        consequence: None,
        refused: None,
        warning: Some(
            "The bundle holds prompt and response text. Your name, the time and the reason are \
             recorded, and the bundle names you in its chain of custody."
                .into(),
        ),
        action: format!("{href}/evidence/export"),
        fields: Vec::new(),
        ask_reason: true,
        label: "Export".into(),
        tone: "main",
        back: href,
    };
    by.page(Section::Incidents, &confirm).await
}

/// `POST /incidents/{number}/evidence/export`
pub(crate) async fn export(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Response, Failure> {
    let (id, number) = find(&by, &name).await?;
    let bundle = Bundle::default();
    let out = bundle.clone();
    by.console.control.export_evidence_tar(&by.access, id, fields.get("reason"), out).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{number}-evidence.tar\"")),
    ];
    let bytes = std::mem::take(&mut *bundle.0.lock());
    Ok((headers, Body::from(bytes)).into_response())
}

/// A tar in memory, up to a limit.
#[derive(Debug, Clone, Default)]
struct Bundle(Arc<Mutex<Vec<u8>>>);

impl Write for Bundle {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut held = self.0.lock();
        if held.len() + bytes.len() > BUNDLE_BYTES_MAX {
            return Err(std::io::Error::other(
                "the bundle is larger than 64 MiB; export it with `quell evidence export`",
            ));
        }
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
