//! Accounts of people. Password hashes never leave control.

use crate::records::Account;
use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_domain::{AccessRole, AccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::problem::Result;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountView {
    /// Identity.
    id: AccountId,
    /// The name the person signs in with.
    name: String,
    /// What the person may do.
    role: AccessRole,
    /// Whether signing in is off.
    disabled: bool,
    /// When it was made.
    created_at: Timestamp,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let Account { id, name, role, disabled, created_at, .. } = account;
        Self { id, name, role, disabled, created_at }
    }
}

/// Lists every account, by name.
#[utoipa::path(
    get, path = "/api/v1/accounts", tag = "people",
    responses((status = 200, body = Vec<AccountView>))
)]
pub(crate) async fn list_accounts(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<AccountView>>> {
    let accounts = control.accounts(&access).await?;
    Ok(Reply(accounts.into_iter().map(AccountView::from).collect()))
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// 1 to 64 of `a-z 0-9 - . _ @`; unique.
    name: String,
    /// At least 12 characters.
    password: String,
    /// What the person may do.
    role: AccessRole,
}

/// Makes an account.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "people", request_body = NewAccount,
    responses((status = 201, body = AccountView))
)]
pub(crate) async fn create_account(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(new): Json<NewAccount>,
) -> Result<(StatusCode, Reply<AccountView>)> {
    let account = control.create_account(&access, &new.name, &new.password, new.role).await?;
    Ok((StatusCode::CREATED, Reply(account.into())))
}

/// What an account is from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    /// What the person may do.
    role: AccessRole,
    /// Whether signing in is off; switching it off ends every session.
    disabled: bool,
}

/// Gives an account another access role, or switches it off or on.
#[utoipa::path(
    put, path = "/api/v1/accounts/{account}", tag = "people", request_body = AccountChange,
    params(("account" = AccountId, Path, description = "The account's id")),
    responses((status = 200, body = AccountView))
)]
pub(crate) async fn change_account(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(account): Path<AccountId>,
    Json(change): Json<AccountChange>,
) -> Result<Reply<AccountView>> {
    let changed = control.change_account(&access, account, change.role, change.disabled).await?;
    Ok(Reply(changed.into()))
}
