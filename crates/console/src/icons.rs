//! The icon set: 16-pixel line icons, inlined, so that a shape stands beside every colour.

use minijinja::value::Value;

/// The icon called `name` as inline SVG; an unknown name is a dot, so a page never fails for one.
pub(crate) fn icon(name: &str) -> Value {
    Value::from_safe_string(format!(
        "<svg class=\"i\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">{}</svg>",
        body(name)
    ))
}

fn body(name: &str) -> &'static str {
    match name {
        "logo" => {
            r#"<path d="M8 1.5 2.5 3.6v4.1c0 3.3 2.2 5.7 5.5 6.8 3.3-1.1 5.5-3.5 5.5-6.8V3.6Z" fill="currentColor" fill-opacity=".16"/><path d="M5 8h1.6l1-2.4 1.2 4.6 1-2.2H11"/>"#
        }
        // Severity: more corners, more urgent.
        "critical" => {
            r#"<path d="M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2Z" fill="currentColor" stroke="none"/><path d="M8 4.7v3.8M8 11.2v.1" stroke="var(--surface)" stroke-width="2"/>"#
        }
        "high" => r#"<path d="M8 1.8 15 14H1Z" fill="currentColor" stroke="none"/>"#,
        "medium" => {
            r#"<rect x="2.6" y="2.6" width="10.8" height="10.8" rx="1.5" fill="currentColor" stroke="none"/>"#
        }
        "low" => r#"<circle cx="8" cy="8" r="4.6" stroke-width="2.6"/>"#,
        // States of measures and incidents.
        "proposed" | "triage" | "learning" | "candidate" => {
            r#"<circle cx="8" cy="8" r="6" stroke-dasharray="2.6 2.1"/>"#
        }
        "approved" => {
            r#"<circle cx="8" cy="8" r="6" stroke-dasharray="2.6 2.1"/><path d="m5.4 8.2 1.8 1.8 3.4-3.8"/>"#
        }
        "requested" => r#"<circle cx="8" cy="8" r="6"/>"#,
        "acknowledged" | "recovering" | "settling" => {
            r#"<circle cx="8" cy="8" r="6"/><path d="M8 2a6 6 0 0 1 0 12Z" fill="currentColor" stroke="none"/>"#
        }
        "verified" | "closed" | "ok" | "confirmed" | "released" => {
            r#"<circle cx="8" cy="8" r="6.8" fill="currentColor" stroke="none"/><path d="m5 8.3 2.1 2.1 4-4.6" stroke="var(--surface)" stroke-width="1.9"/>"#
        }
        "failed" | "alert" | "alarming" => {
            r#"<path d="M8 1.4 15.2 14H.8Z" fill="currentColor" stroke="none"/><path d="M8 6v3.6M8 11.9v.1" stroke="var(--surface)" stroke-width="1.8"/>"#
        }
        "allowed" | "normal" => {
            r#"<circle cx="8" cy="8" r="6"/><path d="m5.4 8.2 1.8 1.8 3.4-3.8"/>"#
        }
        "blocked" => r#"<circle cx="8" cy="8" r="6"/><path d="m4 4 8 8"/>"#,
        "would_block" | "shadow" => {
            r#"<circle cx="8" cy="8" r="6" stroke-dasharray="2.6 2.1"/><path d="m4.6 4.6 6.8 6.8"/>"#
        }
        "redacted" => {
            r#"<path d="M2 4.5h12M2 11.5h5" /><path d="M9 11.5h5" stroke-width="4" stroke-linecap="butt"/>"#
        }
        "degraded" => r#"<path d="M8 3v9.5M4 8.5l4 4 4-4"/>"#,
        "fallback" | "rolled_back" => {
            r#"<path d="M6 4 2.5 7.5 6 11M2.8 7.5H10a3.5 3.5 0 0 1 3.5 3.5v1.5"/>"#
        }
        "shut_down" => r#"<path d="M8 1.8v5.4M4.6 4a5.6 5.6 0 1 0 6.8 0"/>"#,
        "live" | "enforce" => r#"<circle cx="8" cy="8" r="5" fill="currentColor" stroke="none"/>"#,
        "lifting" => r#"<path d="M8 13V3.6M4 7.2l4-4 4 4"/>"#,
        "lifted" | "retired" => r#"<circle cx="8" cy="8" r="6"/><path d="M5.2 8h5.6"/>"#,
        "expired" | "clock" | "monitoring" | "stale" => {
            r#"<circle cx="8" cy="8" r="6"/><path d="M8 4.6V8l2.3 1.6"/>"#
        }
        "rejected" | "refused" | "false_positive" | "x" | "lost" => {
            r#"<circle cx="8" cy="8" r="6"/><path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"/>"#
        }
        "active" => {
            r#"<circle cx="8" cy="8" r="6.2"/><circle cx="8" cy="8" r="3" fill="currentColor" stroke="none"/>"#
        }
        "contained" | "containment" | "shield" => {
            r#"<path d="M8 1.7 2.8 3.6v4c0 3.1 2.1 5.4 5.2 6.5 3.1-1.1 5.2-3.4 5.2-6.5v-4Z"/>"#
        }
        "eradicating" => r#"<path d="m4 12 8-8M3.4 5.6 10.4 12.6M6.2 3l6.8 6.8"/>"#,
        "merged" => {
            r#"<circle cx="4" cy="3.6" r="1.7"/><circle cx="4" cy="12.4" r="1.7"/><circle cx="12" cy="8" r="1.7"/><path d="M4 5.3v5.4M4 5.6c.4 1.8 2.6 2.4 6.2 2.4"/>"#
        }
        // Places and things.
        "overview" => {
            r#"<rect x="2" y="2" width="5" height="6.5" rx="1"/><rect x="9" y="2" width="5" height="3.5" rx="1"/><rect x="2" y="10.5" width="5" height="3.5" rx="1"/><rect x="9" y="7.5" width="5" height="6.5" rx="1"/>"#
        }
        "incidents" => r#"<path d="M8 2.2 14.3 13.3H1.7ZM8 6.5v3M8 11.4v.1"/>"#,
        "interactions" => r#"<path d="M2.2 3.2h11.6v7.6H7.6l-3 2.6v-2.6H2.2ZM5 6h6M5 8.3h3.6"/>"#,
        "detections" => {
            r#"<circle cx="7" cy="7" r="4.7"/><path d="m10.5 10.5 3.5 3.5M5.2 7h1l.8-1.6L8 8.6l.6-1.6h.6"/>"#
        }
        "baselines" => r#"<path d="M1.8 9.5h2.4l1.6-3.2 2 6 2-9 1.6 6.2h2.8"/>"#,
        "people" => {
            r#"<circle cx="6" cy="5.2" r="2.6"/><path d="M1.6 13.4c.3-2.6 2-4.2 4.4-4.2s4.1 1.6 4.4 4.2M10.8 2.9a2.6 2.6 0 0 1 0 4.6M12.2 9.7c1.3.6 2.1 1.9 2.3 3.7"/>"#
        }
        "settings" => {
            r#"<path d="M2 4.5h6.5M12.5 4.5H14M2 11.5h1.5M7.5 11.5H14"/><circle cx="10.5" cy="4.5" r="1.9"/><circle cx="5.5" cy="11.5" r="1.9"/>"#
        }
        "evidence" => {
            r#"<path d="M3.2 1.8h6.3l3.3 3.4v9H3.2ZM9.3 2v3.4h3.3"/><path d="m5.6 10 1.5 1.5 3-3.2"/>"#
        }
        "search" => r#"<circle cx="7" cy="7" r="4.5"/><path d="m10.4 10.4 3.4 3.4"/>"#,
        "menu" => r#"<path d="M2 4h12M2 8h12M2 12h12"/>"#,
        "caret" => r#"<path d="m6 3.5 4.5 4.5L6 12.5"/>"#,
        "down" => r#"<path d="m4 6.5 4 4 4-4"/>"#,
        "up-sort" => r#"<path d="M8 13V3.5M4.5 7 8 3.5 11.5 7"/>"#,
        "down-sort" => r#"<path d="M8 3v9.5M4.5 9 8 12.5 11.5 9"/>"#,
        "person" => {
            r#"<circle cx="8" cy="5.2" r="2.9"/><path d="M2.6 14c.4-3 2.5-4.8 5.4-4.8s5 1.8 5.4 4.8"/>"#
        }
        "policy" => r#"<path d="M8.8 1.5 3 9h4.2l-.8 5.5L13 6.8H8.4Z"/>"#,
        "rule" => {
            r#"<circle cx="8" cy="8" r="6"/><circle cx="8" cy="8" r="2.3"/><path d="M8 .8v2.8M8 12.4v2.8M.8 8h2.8M12.4 8h2.8"/>"#
        }
        "token" | "key" => {
            r#"<circle cx="5" cy="11" r="3.2"/><path d="m7.4 8.7 6-6M11 5.2l2.2 2.2"/>"#
        }
        "system" | "gear" => {
            r#"<circle cx="8" cy="8" r="2.2"/><path d="M8 1.5v2.2M8 12.3v2.2M1.5 8h2.2M12.3 8h2.2M3.4 3.4 5 5M11 11l1.6 1.6M12.6 3.4 11 5M5 11l-1.6 1.6"/>"#
        }
        "note" => r#"<path d="M3 2.5h10v7l-3.5 4H3ZM12.8 9.5H9.5v3.8M5.4 5.5h5M5.4 8h3"/>"#,
        "role" => r#"<path d="M3 14V2.2M3 3h9.5l-2 3 2 3H3"/>"#,
        "bell" => {
            r#"<path d="M3.5 11.5c1-1 1.2-2.2 1.2-4.3C4.7 4.6 6 3 8 3s3.3 1.6 3.3 4.2c0 2.1.2 3.3 1.2 4.3ZM6.6 13.8h2.8"/>"#
        }
        "info" => r#"<circle cx="8" cy="8" r="6.2"/><path d="M8 7.3v3.6M8 5v.1"/>"#,
        "eye" => {
            r#"<path d="M1.4 8S3.7 3.5 8 3.5 14.6 8 14.6 8 12.3 12.5 8 12.5 1.4 8 1.4 8Z"/><circle cx="8" cy="8" r="2"/>"#
        }
        "download" => r#"<path d="M8 2v8.5M4.5 7.5 8 11l3.5-3.5M2.5 14h11"/>"#,
        "server" => {
            r#"<rect x="2" y="2.5" width="12" height="4.6" rx="1"/><rect x="2" y="8.9" width="12" height="4.6" rx="1"/><path d="M4.7 4.8h.1M4.7 11.2h.1"/>"#
        }
        "cut" => {
            r#"<circle cx="4" cy="4.2" r="2"/><circle cx="4" cy="11.8" r="2"/><path d="m5.7 5.3 8 6.2M5.7 10.7l8-6.2"/>"#
        }
        "tool" => {
            r#"<path d="M10.2 2.3a3.6 3.6 0 0 0-2.6 5L2.2 12.5l1.4 1.4 5.3-5.4a3.6 3.6 0 0 0 4.9-2.7l-2.2 1.1-1.7-1.7Z"/>"#
        }
        _ => r#"<circle cx="8" cy="8" r="2.5" fill="currentColor" stroke="none"/>"#,
    }
}
