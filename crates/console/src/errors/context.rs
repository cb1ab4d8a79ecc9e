//! What went wrong, and what to do now.

use serde::Serialize;

use crate::render::Page;

/// An error page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, in one sentence.
    pub detail: String,
    /// What to do.
    pub advice: &'static str,
    /// Whether the console's frame goes around it: only for somebody signed in.
    pub framed: bool,
    /// Where to go on.
    pub back: String,
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "errors/page.html";
}

impl ErrorPage {
    /// The page for `status`, with `detail` if there is something to add.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let (title, advice) = match status {
            400 => (
                "That request makes no sense",
                "Go back, check what you entered, and send it again.",
            ),
            403 => (
                "You may not do that",
                "Ask somebody with the access role named above, or an admin to change yours.",
            ),
            404 => (
                "There is nothing here",
                "The address may be mistyped, or the thing may have been merged. Search for it above.",
            ),
            409 => (
                "Somebody was faster",
                "Nothing was changed. Look at the present state and decide again.",
            ),
            413 => ("That is too much at once", "Shorten it and send it again."),
            422 => (
                "That cannot be done",
                "Nothing was changed. Correct what is named above and send it again.",
            ),
            429 => ("Too many attempts", "Wait a minute, then try again."),
            503 => (
                "Quell cannot answer right now",
                "Containment goes on without this page: gateways keep the last measures. Try again in a moment.",
            ),
            _ => (
                "Something broke on our side",
                "Containment is not affected: gateways keep the last measures. Try again; if it stays, look at the log of the control process.",
            ),
        };
        Self {
            status,
            title: title.into(),
            detail: detail.into(),
            advice,
            framed: true,
            back: "/".into(),
        }
    }

    /// One for each status people meet.
    pub fn samples() -> Vec<(&'static str, Self)> {
        vec![
            (
                "403",
                Self::new(403, "Approving a shutdown needs the access role approver or admin."),
            ),
            ("404", Self::new(404, "No incident has the number INC-2026-9999.")),
            ("409", Self::new(409, "The measure was lifted a moment ago.")),
            ("500", Self::new(500, "The page could not be made.")),
        ]
    }
}
