//! Bad input, each with its own error.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use quell_domain::AccessRole;
use serde_json::json;

use crate::lab::{As, Lab, request};

#[tokio::test]
async fn every_mistake_has_its_own_code() {
    let lab = Lab::new().await;
    lab.application().await;
    let admin = lab.token(AccessRole::Admin).await;
    let declare = "/api/v1/incidents";
    let good = r#"{"application":"support-bot","kind":"drift","severity":"low","title":"x"}"#;
    let huge = format!(r#"{{"title":"{}"}}"#, "x".repeat(3 * 1024 * 1024));
    for (method, path, body, status, code, detail) in [
        (Method::POST, declare, "{", 400, "malformed_json", "EOF"),
        (Method::POST, declare, "", 400, "malformed_json", "EOF"),
        (Method::POST, declare, "[1]", 422, "invalid_field", ""),
        (Method::POST, declare, r#"{"titel":"x"}"#, 422, "invalid_field", "titel"),
        (Method::POST, declare, &good.replace("low", "lowest"), 422, "invalid_field", "severity"),
        (Method::POST, declare, &good.replace("\"x\"", "7"), 422, "invalid_field", "title"),
        (Method::POST, declare, &good.replace("\"x\"", "\" \""), 422, "text_missing", "title"),
        (
            Method::POST,
            declare,
            &good.replace("support-bot", "nothing"),
            404,
            "not_found",
            "nothing",
        ),
        (Method::POST, declare, &huge, 413, "body_too_large", "bytes"),
        (Method::GET, "/api/v1/incidents?sate=open", "", 422, "invalid_query", "sate"),
        (Method::GET, "/api/v1/incidents?limit=many", "", 422, "invalid_query", "limit"),
        (Method::GET, "/api/v1/incidents/INC-1999-0001", "", 404, "not_found", "INC-1999"),
        (Method::GET, "/api/v1/measures/nonsense", "", 404, "malformed_id", "mea_"),
        (Method::GET, "/api/v1/nothing", "", 404, "no_such_path", "openapi.json"),
        (Method::GET, "/api/v2/incidents", "", 404, "no_such_path", "openapi.json"),
        (
            Method::DELETE,
            "/api/v1/content/rules%2Fown.yaml",
            "",
            404,
            "not_found",
            "rules/own.yaml",
        ),
        (Method::PATCH, declare, "", 405, "no_such_method", "openapi.json"),
        (
            Method::PUT,
            "/api/v1/applications/other",
            r#"{"value":{"name":"a","upstreams":[]}}"#,
            422,
            "name_differs",
            "other",
        ),
        (
            Method::PUT,
            "/api/v1/applications/a",
            r#"{"value":{"name":"a","upstreams":["no"]}}"#,
            404,
            "not_found",
            "upstream",
        ),
        (
            Method::PUT,
            "/api/v1/applications/support-bot",
            r#"{"value":{"name":"support-bot","upstreams":["main"]}}"#,
            409,
            "exists",
            "",
        ),
        (
            Method::PUT,
            "/api/v1/applications/support-bot",
            r#"{"version":9,"value":{"name":"support-bot","upstreams":["main"]}}"#,
            409,
            "changed_meanwhile",
            "again",
        ),
        (
            Method::PUT,
            "/api/v1/applications/b",
            r#"{"value":{"name":"b","upstreams":["main"],"ownr":"x"}}"#,
            422,
            "invalid_field",
            "ownr",
        ),
    ] {
        let reply = lab.raw(request(&admin, method.clone(), path, body.to_owned())).await;
        let shown = format!("{method} {path}: {reply:?}");
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{shown}");
        assert!(reply.body["detail"].as_str().unwrap().contains(detail), "{shown}");
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json", "{shown}");
        assert_eq!(reply.body["instance"], path.split('?').next().unwrap());
        assert_eq!(reply.body["type"], format!("urn:quell:error:{code}"));
        assert_eq!(reply.body["status"], status);
    }
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let lab = Lab::new().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = Request::post("/api/v1/session")
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from("{}"))
            .unwrap();
        let reply = lab.raw(request).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (415, "not_json"), "{kind}");
    }
    let request = Request::post("/api/v1/session")
        .header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8")
        .body(Body::from(r#"{"name":"a","password":"b"}"#))
        .unwrap();
    assert_eq!(lab.raw(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_error_says_how_to_sign_in() {
    let lab = Lab::new().await;
    let reply = lab.get(&As::Nobody, "/api/v1/incidents").await;
    assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"quell\"");
    let expected = json!("not_signed_in");
    assert_eq!(reply.body["code"], expected);
}
