//! `/people`

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Redirect, Response};
use quell_domain::{AccessRole, AccountId};

use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::moment::Moment;
use crate::people::context::{AccountView, People, may, roles};
use crate::shell::Section;

/// `GET /people`
pub(crate) async fn list(by: Signed) -> Result<Html<String>, Failure> {
    let content = content(&by, None).await?;
    by.page(Section::People, &content).await
}

async fn content(by: &Signed, error: Option<String>) -> Result<People, Failure> {
    let now = by.console.control.now();
    let accounts = by.console.control.accounts(&by.access).await?;
    Ok(People {
        accounts: accounts
            .into_iter()
            .map(|account| AccountView {
                id: account.id.to_string(),
                me: account.name == by.viewer.name,
                name: account.name,
                role: account.role.to_string(),
                may: may(account.role.as_str()),
                enabled: !account.disabled,
                created: Moment::new(account.created_at, now),
            })
            .collect(),
        roles: roles(),
        error,
        can_admin: by.viewer.can_admin,
    })
}

/// `POST /people`
pub(crate) async fn create(Posted { by, fields }: Posted) -> Result<Response, Failure> {
    let role: AccessRole = fields.parse("role")?;
    let (name, password) = (fields.get("name"), fields.exact("password"));
    match by.console.control.create_account(&by.access, name, password, role).await {
        Ok(_) => Ok(Redirect::to("/people?done=account").into_response()),
        Err(refused) if matches!(status(&refused), 409 | 422) => {
            let content = content(&by, Some(sentence(&refused))).await?;
            Ok(by.page(Section::People, &content).await?.into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST /people/{id}`
pub(crate) async fn change(
    Path(id): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let id: AccountId = id.parse().map_err(|_| Failure::not_found("There is no such account."))?;
    let control = &by.console.control;
    let accounts = control.accounts(&by.access).await?;
    let account = accounts
        .into_iter()
        .find(|account| account.id == id)
        .ok_or_else(|| Failure::not_found("There is no such account."))?;
    let (role, disabled) = match fields.get("do") {
        "disable" => (account.role, true),
        "enable" => (account.role, false),
        _ => (fields.parse("role")?, account.disabled),
    };
    control.change_account(&by.access, id, role, disabled).await?;
    Ok(Redirect::to("/people?done=account"))
}
