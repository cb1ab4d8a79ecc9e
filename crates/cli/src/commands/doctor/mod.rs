//! `quell doctor`: looks at this machine and at the running processes, and says what to do.

mod machine;
mod running;

use serde::Serialize;
use serde_json::json;

use super::Context;
use crate::config::Config;
use crate::exit::Failure;
use crate::output;

/// `quell doctor`
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {}

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    /// What was found.
    found: String,
    /// What to do about it; empty when it is fine.
    todo: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), todo: String::new() }
    }

    fn warn(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, found: found.into(), todo: todo.into() }
    }

    fn fail(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, found: found.into(), todo: todo.into() }
    }
}

/// Runs every check.
pub(crate) async fn run(cx: &Context, _: &DoctorArgs) -> Result<(), Failure> {
    let mut checks = Vec::new();
    match Config::load(cx.globals.config.as_deref()) {
        Err(error) => {
            let todo = "correct the file; `quell config default` prints every key";
            checks.push(Check::fail("config", format!("{error:#}"), todo));
        }
        Ok(config) => {
            let file = cx.globals.config.as_deref();
            let file = file.map_or_else(|| "defaults".into(), |file| file.display().to_string());
            checks.push(Check::ok("config", file));
            checks.extend(machine::checks(&config));
            checks.extend(running::checks(cx, &config).await);
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (warned, failed) = (count(Status::Warn), count(Status::Fail));
    let value = json!({"checks": checks, "warnings": warned, "failures": failed});
    cx.show(&value, |_| shown(&checks))?;
    if failed > 0 {
        return Err(Failure::negative(format!("{failed} checks failed")));
    }
    Ok(())
}

fn shown(checks: &[Check]) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let status = match check.status {
            Status::Ok => "ok  ",
            Status::Warn => "WARN",
            Status::Fail => "FAIL",
        };
        lines.push(format!("{status}  {:<12} {}", check.name, output::plain(&check.found)));
        if !check.todo.is_empty() {
            lines.push(format!("      {:<12} -> {}", "", check.todo));
        }
    }
    lines.join("\n")
}
