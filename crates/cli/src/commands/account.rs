//! `quell account`: people who may sign in.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use quell_domain::AccessRole;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::Context;
use crate::client::{Client, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/accounts";
/// Longest password read, bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// `quell account …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts.
    List,
    /// Make an account. The password is read from standard input or a file, never from a flag.
    Create(CreateArgs),
    /// Give an account another access role.
    Role {
        /// The name the person signs in with.
        name: String,
        /// viewer, responder, approver, admin.
        role: AccessRole,
    },
    /// Switch signing in off; every session of the account ends.
    Disable {
        /// The name the person signs in with.
        name: String,
    },
    /// Switch signing in on again.
    Enable {
        /// The name the person signs in with.
        name: String,
    },
}

/// `quell account create`
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The name the person signs in with: 1 to 64 of a-z 0-9 - . _ @.
    name: String,
    /// What the person may do: viewer, responder, approver, admin.
    #[arg(long, default_value = "viewer")]
    role: AccessRole,
    /// File whose first line is the password; without it, standard input is read.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: AccountCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        AccountCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, |all| output::table(output::rows(all, ""), &COLUMNS))
        }
        AccountCommand::Create(args) => {
            let password = password(args.password_file.as_deref())?;
            let body = json!({"name": args.name, "password": password, "role": args.role});
            let made = client.post(PATH, &body).await?;
            cx.done(&made, &format!("account {} made ({})", args.name, args.role))
        }
        AccountCommand::Role { name, role } => {
            let made = change(&client, &name, |account| account["role"] = json!(role)).await?;
            cx.done(&made, &format!("account {name} is now {role}"))
        }
        AccountCommand::Disable { name } => {
            cx.confirm(&format!("Disable account {name}? Its sessions end."))?;
            let made = change(&client, &name, |account| account["disabled"] = json!(true)).await?;
            cx.done(&made, &format!("account {name} disabled"))
        }
        AccountCommand::Enable { name } => {
            let made = change(&client, &name, |account| account["disabled"] = json!(false)).await?;
            cx.done(&made, &format!("account {name} enabled"))
        }
    }
}

const COLUMNS: [(&str, &str); 5] = [
    ("NAME", "/name"),
    ("ROLE", "/role"),
    ("DISABLED", "/disabled"),
    ("CREATED", "/created_at"),
    ("ID", "/id"),
];

/// Changes the account called `name`.
async fn change(
    client: &Client,
    name: &str,
    edit: impl FnOnce(&mut Value),
) -> Result<Value, Failure> {
    let all = client.get(PATH).await?;
    let account = output::rows(&all, "")
        .iter()
        .find(|account| account["name"] == name)
        .ok_or_else(|| Failure::refused(format!("there is no account {name:?}")))?;
    let mut body = json!({"role": account["role"], "disabled": account["disabled"]});
    edit(&mut body);
    let id = output::cell(account, "/id");
    client.put(&format!("{PATH}/{}", segment(&id)), &body).await
}

/// The first line of the file or of standard input.
fn password(file: Option<&Path>) -> Result<String, Failure> {
    let mut line = String::new();
    if let Some(path) = file {
        let unreadable = |error| Failure::usage(format!("{}: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        std::io::BufReader::new(file.take(PASSWORD_BYTES_MAX))
            .read_line(&mut line)
            .map_err(unreadable)?;
    } else {
        let stdin = std::io::stdin();
        let hidden = Hidden::over(&stdin)?;
        stdin.lock().take(PASSWORD_BYTES_MAX).read_line(&mut line)?;
        drop(hidden);
    }
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::usage(
            "no password: give it on standard input or with --password-file",
        ));
    }
    Ok(password)
}

/// While it lives, what is typed is not shown.
struct Hidden(Option<Termios>);

impl Hidden {
    fn over(stdin: &std::io::Stdin) -> Result<Self, Failure> {
        if !stdin.is_terminal() {
            return Ok(Self(None));
        }
        write!(std::io::stderr().lock(), "Password: ")?;
        let shown = tcgetattr(stdin).map_err(std::io::Error::from)?;
        let mut quiet = shown.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &quiet).map_err(std::io::Error::from)?;
        Ok(Self(Some(shown)))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(shown) = self.0.take() {
            if tcsetattr(std::io::stdin(), OptionalActions::Flush, &shown).is_err() {
                output::note(
                    "\nthe terminal still hides what is typed; `stty echo` shows it again",
                );
            }
            output::note("");
        }
    }
}
