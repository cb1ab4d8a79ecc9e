//! Setup, sign-in, sessions and tokens.

use quell_control::accounts::SessionCookie;
use quell_control::tokens::{Bearer, NewToken};
use quell_control::{Access, Class};
use quell_domain::AccessRole;

use crate::lab::{Lab, person};

const PASSWORD: &str = "correct horse battery";

async fn set_up(lab: &Lab) -> SessionCookie {
    let link = lab.control.setup_link().await.unwrap().unwrap();
    lab.control.set_up(&link.token, "root", PASSWORD).await.unwrap()
}

#[tokio::test]
async fn the_setup_link_works_once_and_not_for_ever() {
    let lab = Lab::new().await;
    assert!(lab.control.needs_setup().await.unwrap());
    let old = lab.control.setup_link().await.unwrap().unwrap();
    let link = lab.control.setup_link().await.unwrap().unwrap();
    assert!(!lab.control.setup_token_works(&old.token).await.unwrap());
    let refused = lab.control.set_up(&old.token, "root", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), "setup.link");
    let refused = lab.control.set_up(&link.token, "root", "short").await.unwrap_err();
    assert_eq!(refused.code(), "password.length");
    let cookie = lab.control.set_up(&link.token, "root", PASSWORD).await.unwrap();
    let signed_in = lab.control.session(&cookie).await.unwrap();
    assert_eq!(signed_in.access.role, AccessRole::Admin);
    assert!(!signed_in.account.password_hash.contains(PASSWORD));
    let refused = lab.control.set_up(&link.token, "eve", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), "setup.done");
    assert!(lab.control.setup_link().await.unwrap().is_none());
}

#[tokio::test]
async fn sign_in_tells_nothing_and_slows_down() {
    let lab = Lab::new().await;
    set_up(&lab).await;
    for name in ["root", "nobody"] {
        let refused = lab.control.sign_in(name, "wrong password").await.unwrap_err();
        assert_eq!(refused.class(), Class::Unauthenticated);
    }
    for _ in 0..4 {
        lab.control.sign_in("root", "wrong password").await.unwrap_err();
    }
    let refused = lab.control.sign_in("root", PASSWORD).await.unwrap_err();
    assert_eq!(refused.class(), Class::TooMany);
    lab.advance(10);
    lab.control.sign_in("root", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn sessions_end_by_time_by_disuse_and_by_hand() {
    let lab = Lab::new().await;
    let cookie = set_up(&lab).await;
    lab.advance(7_199);
    lab.control.session(&cookie).await.unwrap();
    lab.advance(7_201);
    assert!(lab.control.session(&cookie).await.is_err());
    let cookie = lab.control.sign_in("root", PASSWORD).await.unwrap();
    lab.control.sign_out(&cookie).await.unwrap();
    assert!(lab.control.session(&cookie).await.is_err());
    let cookie = lab.control.sign_in("root", PASSWORD).await.unwrap();
    let other = lab.control.sign_in("root", PASSWORD).await.unwrap();
    let access = person("root", AccessRole::Admin);
    let new = "another long password";
    lab.control.change_password(&access, PASSWORD, new, Some(&cookie)).await.unwrap();
    assert!(lab.control.session(&cookie).await.is_ok());
    assert!(lab.control.session(&other).await.is_err());
    assert!(lab.control.sign_in("root", PASSWORD).await.is_err());
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let lab = Lab::new().await;
    set_up(&lab).await;
    let access = person("root", AccessRole::Admin);
    let root = lab.control.accounts(&access).await.unwrap().remove(0);
    let refused =
        lab.control.change_account(&access, root.id, AccessRole::Viewer, false).await.unwrap_err();
    assert_eq!(refused.code(), "account.last_admin");
    let made = lab.control.create_account(&access, "ada", PASSWORD, AccessRole::Admin).await;
    let made = made.unwrap();
    let cookie = lab.control.sign_in("ada", PASSWORD).await.unwrap();
    lab.control.change_account(&access, made.id, AccessRole::Admin, true).await.unwrap();
    assert!(lab.control.session(&cookie).await.is_err());
    assert!(lab.control.sign_in("ada", PASSWORD).await.is_err());
    let again = lab.control.create_account(&access, "ada", PASSWORD, AccessRole::Viewer).await;
    assert_eq!(again.unwrap_err().code(), "exists");
}

#[tokio::test]
async fn an_invited_person_sets_the_password() {
    let lab = Lab::new().await;
    set_up(&lab).await;
    let access = person("root", AccessRole::Admin);
    let (made, link) = lab.control.invite(&access, "ada", AccessRole::Responder).await.unwrap();
    assert!(lab.control.sign_in("ada", "none").await.is_err());
    let cookie = lab.control.accept_link(&link.token, PASSWORD).await.unwrap();
    assert_eq!(lab.control.session(&cookie).await.unwrap().account.id, made.id);
    let again = lab.control.accept_link(&link.token, PASSWORD).await.unwrap_err();
    assert_eq!(again.code(), "account.link");
    lab.control.sign_in("ada", PASSWORD).await.unwrap();
    let late = lab.control.password_link(&access, made.id).await.unwrap();
    lab.advance(72 * 3_600);
    assert!(lab.control.accept_link(&late.token, PASSWORD).await.is_err());
    let setup = lab.control.setup_token_works(&late.token).await.unwrap();
    assert!(!setup);
}

#[tokio::test]
async fn a_token_reaches_no_further_than_its_owner() {
    let lab = Lab::new().await;
    set_up(&lab).await;
    let access = person("root", AccessRole::Admin);
    let ada = lab.control.create_account(&access, "ada", PASSWORD, AccessRole::Admin).await;
    let ada = ada.unwrap();
    let new =
        |node| NewToken { name: "laptop".into(), role: AccessRole::Admin, node, expires_at: None };
    let owner = person("ada", AccessRole::Admin);
    let made = lab.control.create_token(&owner, new(false)).await.unwrap();
    let Bearer::Person(known) = lab.control.bearer(&made.secret).await.unwrap() else {
        panic!("a person's token")
    };
    assert_eq!(
        (known.actor.to_string().as_str(), known.role),
        ("token:ada/laptop", AccessRole::Admin)
    );
    lab.control.change_account(&access, ada.id, AccessRole::Viewer, false).await.unwrap();
    let Bearer::Person(known) = lab.control.bearer(&made.secret).await.unwrap() else {
        panic!("a person's token")
    };
    assert_eq!(known.role, AccessRole::Viewer);
    lab.control.revoke_token(&access, made.token.id).await.unwrap();
    assert!(lab.control.bearer(&made.secret).await.is_err());
    let node = lab.control.adopt_token(new(true), "node secret in a file").await.unwrap();
    let again = lab.control.adopt_token(new(true), "node secret in a file").await.unwrap();
    assert_eq!(node.id, again.id);
    let bearer = lab.control.bearer("node secret in a file").await.unwrap();
    assert!(matches!(bearer, Bearer::Node(_)));
    assert!(lab.control.tokens(&Access { role: AccessRole::Approver, ..access }).await.is_err());
}
