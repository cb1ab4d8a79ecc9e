//! What the operator set up, epochs, and the promises of a transaction.

use quell_domain::application::{Application, KeyBinding, Upstream};
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use quell_domain::{Actor, ApiKeyId};
use quell_store::{ApiKey, RuleSetting, StoreError};

use crate::lab::Lab;

pub(crate) async fn the_inventory_keeps_versions(lab: &Lab) {
    let mut application = Application::new("support-bot", vec!["main".into()]);
    let upstream = Upstream::new("main", "https://api.example.org");
    let file = ContentFile { path: "rules/own.yaml".into(), text: "title: own".into() };
    let setting = RuleSetting {
        rule: "jailbreak-roleplay".into(),
        mode: RuleMode::Shadow,
        actor: Actor::User("ada".into()),
        reason: "too loud".into(),
    };
    let mut tx = lab.store.begin().await.unwrap();
    assert_eq!(tx.put_application(&application, None).await.unwrap(), 1);
    assert_eq!(tx.put_upstream(&upstream, None).await.unwrap(), 1);
    assert_eq!(tx.put_content(&file, None).await.unwrap(), 1);
    assert_eq!(tx.put_rule_setting(&setting, None).await.unwrap(), 1);
    application.title = "Support".into();
    assert_eq!(tx.put_application(&application, Some(1)).await.unwrap(), 2);
    let stale = tx.put_application(&application, Some(1)).await;
    assert!(stale.is_err_and(|error| error.is_conflict()));
    tx.commit().await.unwrap();

    let mut read = lab.store.read().await.unwrap();
    let stored = read.application("support-bot").await.unwrap().unwrap();
    assert_eq!((stored.value, stored.version), (application, 2));
    assert_eq!(stored.updated_at, lab.now());
    assert_eq!(read.applications().await.unwrap().len(), 1);
    assert_eq!(read.upstream("main").await.unwrap().unwrap().value, upstream);
    assert_eq!(read.upstreams().await.unwrap().len(), 1);
    assert_eq!(read.content_file("rules/own.yaml").await.unwrap().unwrap().value, file);
    assert_eq!(read.content().await.unwrap().len(), 1);
    assert_eq!(read.rule_setting("jailbreak-roleplay").await.unwrap().unwrap().value, setting);
    assert!(read.application("nothing").await.unwrap().is_none());
    drop(read);

    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.delete_application("support-bot").await.unwrap());
    assert!(!tx.delete_application("support-bot").await.unwrap());
    assert!(tx.delete_upstream("main").await.unwrap());
    assert!(tx.delete_content("rules/own.yaml").await.unwrap());
    assert!(tx.delete_rule_setting("jailbreak-roleplay").await.unwrap());
    assert!(tx.rule_settings().await.unwrap().is_empty());
}

pub(crate) async fn keys_are_bound_until_revoked(lab: &Lab) {
    let key = |hash: &str, application: &str| ApiKey {
        binding: KeyBinding {
            id: ApiKeyId::new(lab.ids.as_ref()),
            sha256: hash.repeat(32),
            application: application.into(),
            user: None,
            expires_at: None,
        },
        label: "mobile app".into(),
        created_at: lab.now(),
        revoked_at: None,
        version: 1,
    };
    let (mut first, second) = (key("aa", "support-bot"), key("bb", "other"));
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_api_key(&first).await.unwrap();
    tx.insert_api_key(&second).await.unwrap();
    first.revoked_at = Some(lab.now());
    tx.update_api_key(&mut first).await.unwrap();
    tx.commit().await.unwrap();

    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.key_bindings().await.unwrap(), std::slice::from_ref(&second.binding));
    assert_eq!(read.api_keys(None).await.unwrap().len(), 2);
    assert_eq!(read.api_keys(Some("support-bot")).await.unwrap(), [first.clone()]);
    assert_eq!(read.api_key(first.binding.id).await.unwrap().unwrap().version, 2);
    drop(read);

    let mut tx = lab.store.begin().await.unwrap();
    let twice = tx.insert_api_key(&key("bb", "other")).await;
    assert!(matches!(twice, Err(StoreError::Exists)));
}

pub(crate) async fn epochs_only_rise(lab: &Lab) {
    let mut tx = lab.store.begin().await.unwrap();
    assert_eq!(tx.epoch().await.unwrap(), 0);
    assert_eq!(tx.next_epoch().await.unwrap(), 1);
    assert_eq!(tx.next_epoch().await.unwrap(), 2);
    tx.raise_epoch(40).await.unwrap();
    tx.raise_epoch(7).await.unwrap();
    assert_eq!(tx.epoch().await.unwrap(), 40);
    assert_eq!(tx.next_epoch().await.unwrap(), 41);
    assert!(tx.raise_epoch(u64::MAX).await.is_err());
    tx.put_setting("instance", "a").await.unwrap();
    tx.put_setting("instance", "b").await.unwrap();
    tx.commit().await.unwrap();
    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.setting("instance").await.unwrap().as_deref(), Some("b"));
    assert_eq!(read.setting("nothing").await.unwrap(), None);
}

pub(crate) async fn nothing_is_left_after_a_rollback(lab: &Lab) {
    let mut tx = lab.store.begin().await.unwrap();
    let number = tx.next_incident_number().await.unwrap();
    let incident = lab.draft(number, "Undone");
    tx.insert_incident(&incident).await.unwrap();
    tx.append_event(lab.event(Some(incident.id), "incident.opened")).await.unwrap();
    tx.next_epoch().await.unwrap();
    drop(tx);

    // The next writer gets its turn at once and sees none of it.
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.incident(incident.id).await.unwrap().is_none());
    assert_eq!(tx.last_event().await.unwrap(), 0);
    assert_eq!(tx.epoch().await.unwrap(), 0);
    let due = tx.outbox_due(quell_store::OutboxKind::Ledger, lab.now(), 10).await.unwrap();
    assert!(due.is_empty());
}

pub(crate) async fn a_read_is_a_consistent_view(lab: &Lab) {
    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.open_incident_count().await.unwrap(), 0);
    lab.incident("Meanwhile").await;
    assert_eq!(read.open_incident_count().await.unwrap(), 0);
    drop(read);
    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.open_incident_count().await.unwrap(), 1);
}
