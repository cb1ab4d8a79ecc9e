//! Setup, sessions, accounts, tokens.

use http::{StatusCode, header};
use quell_domain::AccessRole;
use serde_json::json;

use crate::lab::{As, Lab, PASSWORD, session_of};

#[tokio::test]
async fn the_setup_link_makes_one_administrator() {
    let lab = Lab::new().await;
    let link = lab.control.setup_link().await.unwrap().unwrap();
    assert_eq!(lab.get(&As::Nobody, "/api/v1/setup").await.body, json!({"needed": true}));
    let first = json!({"token": link.token, "name": "ada", "password": PASSWORD});
    let mut wrong = first.clone();
    wrong["token"] = json!("guessed");
    let refused = lab.post(&As::Nobody, "/api/v1/setup", wrong).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "setup.link"));

    let made = lab.post(&As::Nobody, "/api/v1/setup", first.clone()).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert_eq!(made.body["role"], "admin");
    let me = lab.get(&session_of(&made), "/api/v1/session").await;
    assert_eq!(me.body["actor"], "user:ada");
    assert_eq!(me.body["csrf"], made.body["csrf"]);

    let again = lab.post(&As::Nobody, "/api/v1/setup", first).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(lab.get(&As::Nobody, "/api/v1/setup").await.body, json!({"needed": false}));
}

#[tokio::test]
async fn a_session_ends_with_signing_out() {
    let lab = Lab::new().await;
    let ada = lab.person("ada", AccessRole::Viewer).await;
    assert_eq!(lab.get(&ada, "/api/v1/session").await.status, StatusCode::OK);
    let out = lab.delete(&ada, "/api/v1/session").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(lab.get(&ada, "/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_session_cookie_is_out_of_reach_for_scripts_and_other_sites() {
    let lab = Lab::new().await;
    lab.person("ada", AccessRole::Viewer).await;
    let given = json!({"name": "ada", "password": PASSWORD});
    let reply = lab.post(&As::Nobody, "/api/v1/session", given).await;
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let lab = Lab::new().await;
    lab.person("ada", AccessRole::Viewer).await;
    let mut replies = Vec::new();
    for (name, password) in [("ada", "not the password"), ("nobody", PASSWORD)] {
        let given = json!({"name": name, "password": password});
        let reply = lab.post(&As::Nobody, "/api/v1/session", given).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        replies.push(reply.body);
    }
    assert_eq!(replies[0], replies[1]);
}

#[tokio::test]
async fn secrets_are_shown_once_and_hashes_never() {
    let lab = Lab::new().await;
    lab.application().await;
    let admin = lab.token(AccessRole::Admin).await;
    let account = json!({"name": "grace", "password": PASSWORD, "role": "responder"});
    let made = lab.post(&admin, "/api/v1/accounts", account.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let again = lab.post(&admin, "/api/v1/accounts", account).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "exists"));
    let token = json!({"name": "pipeline", "role": "viewer"});
    let token = lab.post(&admin, "/api/v1/tokens", token).await;
    assert_eq!(token.status, StatusCode::CREATED, "{token:?}");
    let key = json!({"application": "support-bot", "label": "mobile app"});
    let key = lab.post(&admin, "/api/v1/keys", key).await;
    assert_eq!(key.status, StatusCode::CREATED, "{key:?}");

    let secrets = [&token, &key].map(|made| made.body["secret"].as_str().unwrap().to_owned());
    for path in ["/api/v1/accounts", "/api/v1/tokens", "/api/v1/keys"] {
        let shown = lab.get(&admin, path).await;
        assert_eq!(shown.status, StatusCode::OK);
        let text = shown.body.to_string();
        assert!(!text.contains("argon2") && !text.contains("sha256"), "{text}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }

    let caller = As::Token(secrets[0].clone());
    assert_eq!(lab.get(&caller, "/api/v1/session").await.body["role"], "viewer");
    let id = token.body["token"]["id"].as_str().unwrap();
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(lab.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.get(&caller, "/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    let id = key.body["key"]["id"].as_str().unwrap();
    let path = format!("/api/v1/keys/{id}");
    assert_eq!(lab.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_password_is_changed_by_its_owner_and_ends_other_sessions() {
    let lab = Lab::new().await;
    let here = lab.person("ada", AccessRole::Viewer).await;
    let given = json!({"name": "ada", "password": PASSWORD});
    let there = session_of(&lab.post(&As::Nobody, "/api/v1/session", given).await);
    let change = |present: &str| json!({"present": present, "new": "an even longer secret"});
    let path = "/api/v1/session/password";
    let wrong = lab.put(&here, path, change("not the password")).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (422, "password.wrong"));
    let changed = lab.put(&here, path, change(PASSWORD)).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
    assert_eq!(lab.get(&here, "/api/v1/session").await.status, StatusCode::OK);
    assert_eq!(lab.get(&there, "/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
}
