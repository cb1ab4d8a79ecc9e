//! Accounts, sessions, tokens, links.

use jiff::SignedDuration;
use quell_domain::{AccessRole, AccountId, TokenId};
use quell_store::{Account, ApiToken, LinkPurpose, OneTimeLink, Session, StoreError};

use crate::lab::Lab;

fn account(lab: &Lab, name: &str) -> Account {
    Account {
        id: AccountId::new(lab.ids.as_ref()),
        name: name.into(),
        password_hash: "$argon2id$".into(),
        role: AccessRole::Responder,
        disabled: false,
        created_at: lab.now(),
        version: 1,
    }
}

pub(crate) async fn names_are_unique(lab: &Lab) {
    let (mut ada, grace) = (account(lab, "ada"), account(lab, "grace"));
    let mut tx = lab.store.begin().await.unwrap();
    assert_eq!(tx.account_count().await.unwrap(), 0);
    tx.insert_account(&ada).await.unwrap();
    tx.insert_account(&grace).await.unwrap();
    ada.role = AccessRole::Admin;
    tx.update_account(&mut ada).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = lab.store.begin().await.unwrap();
    let twice = tx.insert_account(&account(lab, "ada")).await;
    assert!(matches!(twice, Err(StoreError::Exists)), "{twice:?}");
    drop(tx);

    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.accounts().await.unwrap(), [ada.clone(), grace]);
    assert_eq!(read.account_by_name("ada").await.unwrap(), Some(ada.clone()));
    assert_eq!(read.account(ada.id).await.unwrap(), Some(ada));
    assert_eq!(read.account_by_name("nobody").await.unwrap(), None);
}

pub(crate) async fn sessions_end(lab: &Lab) {
    let ada = account(lab, "ada");
    let session = |sha256: &str, minutes: i64| Session {
        sha256: sha256.into(),
        account: ada.id,
        csrf: "c".into(),
        created_at: lab.now(),
        expires_at: lab.now() + SignedDuration::from_mins(minutes),
        last_seen_at: lab.now(),
    };
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_account(&ada).await.unwrap();
    for (sha256, minutes) in [("one", 10), ("two", 20), ("three", 30), ("four", 40)] {
        tx.insert_session(&session(sha256, minutes)).await.unwrap();
    }
    lab.pass(15 * 60);
    tx.touch_session("two", lab.now()).await.unwrap();
    assert_eq!(tx.session("two").await.unwrap().unwrap().last_seen_at, lab.now());
    assert_eq!(tx.purge_sessions(lab.now()).await.unwrap(), 1);
    tx.delete_session("two").await.unwrap();
    tx.delete_sessions_of(ada.id, Some("three")).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = lab.store.read().await.unwrap();
    for (sha256, there) in [("one", false), ("two", false), ("three", true), ("four", false)] {
        assert_eq!(read.session(sha256).await.unwrap().is_some(), there, "{sha256}");
    }
}

pub(crate) async fn tokens_are_found_by_hash(lab: &Lab) {
    let mut token = ApiToken {
        id: TokenId::new(lab.ids.as_ref()),
        owner: "ada".into(),
        name: "pipeline".into(),
        sha256: "ab".repeat(32),
        role: AccessRole::Viewer,
        node: false,
        created_at: lab.now(),
        expires_at: Some(lab.now() + SignedDuration::from_mins(1)),
        revoked_at: None,
        version: 1,
    };
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_api_token(&token).await.unwrap();
    assert_eq!(tx.api_token_by_hash(&token.sha256).await.unwrap(), Some(token.clone()));
    assert_eq!(token.actor().to_string(), "token:ada/pipeline");
    assert!(token.is_live(lab.now()));
    assert!(!token.is_live(lab.now() + SignedDuration::from_mins(1)));
    token.revoked_at = Some(lab.now());
    tx.update_api_token(&mut token).await.unwrap();
    assert!(!token.is_live(lab.now()));
    assert_eq!(tx.api_token(token.id).await.unwrap(), Some(token.clone()));
    assert_eq!(tx.api_tokens().await.unwrap(), [token]);
}

pub(crate) async fn a_link_works_once(lab: &Lab) {
    let link = |sha256: &str, purpose, minutes: i64| OneTimeLink {
        sha256: sha256.into(),
        purpose,
        subject: Some("ada".into()),
        created_at: lab.now(),
        expires_at: lab.now() + SignedDuration::from_mins(minutes),
        used_at: None,
    };
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_one_time_link(&link("s", LinkPurpose::Setup, 10)).await.unwrap();
    tx.insert_one_time_link(&link("i", LinkPurpose::Invite, 10)).await.unwrap();
    tx.insert_one_time_link(&link("late", LinkPurpose::Setup, -1)).await.unwrap();
    for (sha256, purpose, works) in [
        ("s", LinkPurpose::Invite, false),
        ("s", LinkPurpose::Setup, true),
        ("s", LinkPurpose::Setup, false),
        ("late", LinkPurpose::Setup, false),
        ("unknown", LinkPurpose::Setup, false),
        ("i", LinkPurpose::Invite, true),
    ] {
        assert_eq!(tx.use_one_time_link(sha256, purpose).await.unwrap(), works, "{sha256}");
    }
    assert_eq!(tx.one_time_link("s").await.unwrap().unwrap().used_at, Some(lab.now()));
    tx.delete_one_time_links(LinkPurpose::Setup).await.unwrap();
    assert!(tx.one_time_link("late").await.unwrap().is_none());
}
