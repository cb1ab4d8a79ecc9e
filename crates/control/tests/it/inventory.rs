//! Applications, keys, rules, roles and notes.

use quell_control::Access;
use quell_control::applications::NewKey;
use quell_domain::AccessRole;
use quell_domain::application::{Application, PolicyAction, PolicyTarget, Upstream};
use quell_domain::canonical::sha256_hex;
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;

use crate::lab::{Lab, person, policy, responder};

#[tokio::test]
async fn changes_reach_the_snapshot_and_bad_ones_are_refused() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    let application = |name: &str| Application::new(name, vec!["primary".into()]);
    let bad = [
        (application("Shop"), "application.name"),
        (Application::new("bank", vec!["none".into()]), "not_found"),
        (Application::new("bank", Vec::new()), "application.upstreams"),
        (
            Application {
                policy: policy(PolicyAction::Apply, 4, PolicyTarget::Application),
                ..application("bank")
            },
            "application.policy",
        ),
        (
            Application { user_token_secret: Some("hunter2".into()), ..application("bank") },
            "secret.reference",
        ),
    ];
    for (application, code) in bad {
        let refused = lab.control.put_application(&admin, application, None).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let refused = lab.control.put_application(&responder(), application("bank"), None).await;
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    let before = lab.control.snapshot().unwrap().epoch;
    let version = lab.control.put_application(&admin, application("bank"), None).await.unwrap();
    let snapshot = lab.control.snapshot().unwrap();
    assert_eq!(snapshot.epoch, before + 1);
    assert_eq!(snapshot.content.applications.len(), 2);
    let stale = lab.control.put_application(&admin, application("bank"), Some(version + 1)).await;
    assert_eq!(stale.unwrap_err().code(), "changed_meanwhile");
    let used = lab.control.delete_upstream(&admin, "primary").await.unwrap_err();
    assert_eq!(used.code(), "upstream.used");
    let upstream = Upstream::new("second", "http://user@host/");
    let refused = lab.control.put_upstream(&admin, upstream, None).await.unwrap_err();
    assert_eq!(refused.code(), "upstream.base_url");
}

#[tokio::test]
async fn a_key_is_seen_once_and_withdrawn_from_the_snapshot() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    let new = NewKey {
        application: "shop".into(),
        label: "web".into(),
        user: Some("batch".into()),
        expires_at: None,
    };
    let made = lab.control.create_key(&admin, new).await.unwrap();
    let snapshot = lab.control.snapshot().unwrap();
    assert_eq!(snapshot.content.keys[0].sha256, sha256_hex(made.secret.as_bytes()));
    assert!(!serde_json::to_string(&*snapshot).unwrap().contains(&made.secret));
    lab.control.revoke_key(&admin, made.key.binding.id).await.unwrap();
    assert!(lab.control.snapshot().unwrap().content.keys.is_empty());
}

#[tokio::test]
async fn a_rule_gets_another_mode_and_its_own_back() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    let mut rules = lab.control.rules(&admin).await.unwrap().into_iter();
    let first = rules.find(|rule| rule.info.mode == RuleMode::Enforce).unwrap();
    let other = RuleMode::Shadow;
    lab.control.set_rule_mode(&admin, &first.info.id, other, "too loud").await.unwrap();
    let find = |rules: Vec<quell_control::rules::RuleView>| {
        rules.into_iter().find(|rule| rule.info.id == first.info.id).unwrap()
    };
    let changed = find(lab.control.rules(&admin).await.unwrap());
    assert_eq!((changed.info.mode, changed.shipped_mode), (other, first.info.mode));
    assert_eq!(changed.setting.unwrap().reason, "too loud");
    assert_eq!(lab.control.snapshot().unwrap().content.content.len(), 1);
    lab.control.reset_rule_mode(&admin, &first.info.id).await.unwrap();
    assert_eq!(find(lab.control.rules(&admin).await.unwrap()).info.mode, first.info.mode);
    let unknown = lab.control.set_rule_mode(&admin, "none", other, "x").await.unwrap_err();
    assert_eq!(unknown.code(), "not_found");
}

#[tokio::test]
async fn a_content_file_that_does_not_compile_is_refused() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    let before = lab.control.snapshot().unwrap().epoch;
    let file = |path: &str, text: &str| ContentFile { path: path.into(), text: text.into() };
    let bad = [
        (file("rules/own.yaml", "title: [\n"), "content.rules"),
        (file("../own.yaml", ""), "content.path"),
    ];
    for (file, code) in bad {
        let refused = lab.control.put_content(&admin, file).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    assert_eq!(lab.control.snapshot().unwrap().epoch, before);
    assert!(lab.control.content_files(&admin).await.unwrap().is_empty());
}

#[tokio::test]
async fn roles_are_taken_and_given_back_and_notes_are_corrected() {
    let lab = Lab::new().await;
    lab.see(&lab.jailbreak("mallory")).await;
    let incident = lab.incidents().await.remove(0);
    let admin = person("root", AccessRole::Admin);
    let password = "correct horse battery";
    lab.control.create_account(&admin, "ada", password, AccessRole::Responder).await.unwrap();
    let ada = responder();
    let role = "incident_commander";
    lab.control.assume_role(&ada, incident.id, role, "ada").await.unwrap();
    let twice = lab.control.assume_role(&ada, incident.id, role, "ada").await.unwrap_err();
    assert_eq!(twice.code(), "role.unchanged");
    lab.advance(60);
    lab.control.renounce_role(&ada, incident.id, role, "ada").await.unwrap();
    let views = lab.control.incident_roles(&Access::system(), incident.id).await.unwrap();
    let view = views.iter().find(|view| view.role.id == role).unwrap();
    assert!(view.assignments[0].renounced_at > Some(view.assignments[0].assumed_at));

    lab.control.add_note(&ada, incident.id, "It began at nine.", None).await.unwrap();
    let events = lab.control.timeline(&ada, incident.id, 0).await.unwrap();
    let note = events.last().unwrap().clone();
    let corrects = Some(note.id);
    lab.control.add_note(&ada, incident.id, "It began at eight.", corrects).await.unwrap();
    let events = lab.control.timeline(&ada, incident.id, 0).await.unwrap();
    assert_eq!(events.last().unwrap().supersedes, corrects);
    assert!(events.contains(&note), "what was said stays");
    let items = lab.control.feed_after(note.global_sequence).await.unwrap();
    assert_eq!((items[0].region, items[0].incident), ("notes", Some(incident.id)));
}
