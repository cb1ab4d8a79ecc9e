//! Walks the OpenAPI document: no operation lets anybody through who lacks what it states.

use http::{Method, StatusCode};
use quell_domain::AccessRole;
use serde_json::Value;
use tower::ServiceExt;

use crate::lab::{As, Lab, request};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// What may be called without proving anything. Adding to it is a decision.
const OPEN: [&str; 4] =
    ["get /api/v1/health", "get /api/v1/setup", "post /api/v1/session", "post /api/v1/setup"];

struct Operation {
    name: String,
    method: Method,
    path: String,
    need: String,
}

async fn operations(lab: &Lab) -> Vec<Operation> {
    let document = lab.get(&As::Nobody, "/api/openapi.json").await.body;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            found.push(Operation {
                name: format!("{method} {path}"),
                method: method.to_uppercase().parse().unwrap(),
                path: filled(path),
                need: operation["x-quell-access"].as_str().unwrap_or("missing").to_owned(),
            });
        }
    }
    assert!(found.len() > 40, "{} operations", found.len());
    found
}

/// The path with something in place of its parameters.
fn filled(path: &str) -> String {
    let mut parts = path.split('/').map(|part| match part.strip_prefix('{') {
        Some(_) => "x",
        None => part,
    });
    let path = parts.by_ref().collect::<Vec<_>>().join("/");
    if path == "/api/v1/events" { format!("{path}?") } else { path }
}

/// The status alone: a stream of events never ends.
async fn status(lab: &Lab, caller: &As, operation: &Operation) -> (StatusCode, String) {
    let request = request(caller, operation.method.clone(), &operation.path, "");
    let response = lab.app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    if status.is_success() {
        return (status, String::new());
    }
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn only_the_listed_operations_are_open_to_anyone() {
    let lab = Lab::new().await;
    let mut open: Vec<String> = operations(&lab)
        .await
        .into_iter()
        .filter(|operation| operation.need == "anyone")
        .map(|operation| operation.name)
        .collect();
    open.sort();
    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn nobody_gets_through_without_proof() {
    let lab = Lab::new().await;
    let strangers = [
        As::Nobody,
        As::Token("qt_made-up".into()),
        As::Token(String::new()),
        As::Session { cookie: "made-up".into(), csrf: Some("made-up".into()) },
    ];
    for operation in operations(&lab).await {
        if operation.need == "anyone" {
            continue;
        }
        for stranger in &strangers {
            let (status, code) = status(&lab, stranger, &operation).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {stranger:?} {code}", operation.name);
        }
    }
}

#[tokio::test]
async fn nobody_gets_through_with_too_small_a_role() {
    let lab = Lab::new().await;
    let node = lab.node().await;
    let mut tokens = Vec::new();
    for role in AccessRole::ALL {
        tokens.push((role, lab.token(role).await));
    }
    for operation in operations(&lab).await {
        if operation.need == "anyone" {
            continue;
        }
        let needed: Option<AccessRole> = operation.need.parse().ok();
        let (status_of_node, code) = status(&lab, &node, &operation).await;
        let refused = status_of_node == StatusCode::FORBIDDEN;
        assert_eq!(refused, needed.is_some(), "{} node {code}", operation.name);
        for (role, token) in &tokens {
            let (status, code) = status(&lab, token, &operation).await;
            if needed.is_some_and(|needed| *role >= needed) {
                let turned_away = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                let own = code == "session_needed";
                assert!(own || !turned_away.contains(&status), "{} {role}", operation.name);
                assert_ne!(code, "no_such_path", "{}", operation.name);
                assert_ne!(code, "no_such_method", "{}", operation.name);
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{} {role} {code}", operation.name);
            }
        }
    }
}

#[tokio::test]
async fn a_session_changes_nothing_without_its_csrf_value() {
    let lab = Lab::new().await;
    let person = lab.person("ada", AccessRole::Admin).await;
    let As::Session { cookie, csrf } = person.clone() else { unreachable!() };
    assert!(csrf.is_some());
    for operation in operations(&lab).await {
        let open = operation.need == "anyone" || operation.need == "node";
        if open || operation.method == Method::GET {
            continue;
        }
        for csrf in [None, Some("guessed".to_owned())] {
            let forged = As::Session { cookie: cookie.clone(), csrf };
            let (status, code) = status(&lab, &forged, &operation).await;
            assert_eq!(
                (status, code.as_str()),
                (StatusCode::FORBIDDEN, "csrf"),
                "{}",
                operation.name
            );
        }
    }
    assert_eq!(lab.get(&person, "/api/v1/session").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_operation_is_described() {
    let lab = Lab::new().await;
    let document = lab.get(&As::Nobody, "/api/openapi.json").await.body;
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} says what it does");
            assert!(operation["responses"]["default"].is_object(), "{name} names its errors");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let total = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), total, "operation ids are unique");
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (_, rest) in
        text.match_indices("#/components/schemas/").map(|(at, m)| text.split_at(at + m.len()))
    {
        let name = rest.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to but not described");
    }
}
