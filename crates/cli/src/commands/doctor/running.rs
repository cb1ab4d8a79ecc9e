//! What the running processes say: ports, API, gateways.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use super::Check;
use crate::commands::Context;
use crate::config::Config;
use crate::exit::Failure;
use crate::output;

/// Every check that talks to somebody.
pub(super) async fn checks(cx: &Context, config: &Config) -> Vec<Check> {
    let (gateways, control) = match cx.client() {
        Ok(client) => match client.get("/api/v1/health").await {
            Ok(_) => (Some(client.get("/api/v1/gateways").await), Ok(())),
            Err(failure) => (None, Err(failure)),
        },
        Err(failure) => (None, Err(failure)),
    };
    let here = cx.globals.connection.url.is_none();
    let mut checks = Vec::new();
    let answers = control.is_ok();
    if here {
        checks.push(port("control port", config.control.listen, answers, "control.listen"));
    }
    checks.push(api(control));
    match gateways {
        Some(Ok(list)) => {
            let list = output::rows(&list, "");
            let name = config.gateway.name.as_str();
            let ours = |state: &&Value| state["report"]["gateway"] == name && state["live"] == true;
            if here {
                let ours = list.iter().any(|state| ours(&state));
                checks.push(port("gateway port", config.gateway.listen, ours, "gateway.listen"));
            }
            checks.extend(reports(list));
        }
        Some(Err(failure)) => {
            let todo = "check the token: `quell token list` with an administrator's";
            checks.push(Check::fail("gateways", failure.to_string(), todo));
        }
        None if here => {
            checks.push(port("gateway port", config.gateway.listen, false, "gateway.listen"));
        }
        None => {}
    }
    checks
}

/// A port is fine when it is free, or when what answers there is ours.
fn port(name: &'static str, address: SocketAddr, ours: bool, key: &str) -> Check {
    if ours {
        return Check::ok(name, format!("{address}, ours"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address}, free")),
        Err(error) => Check::fail(
            name,
            format!("{address} is taken or cannot be bound: {error}"),
            format!("stop what listens there (`ss -ltnp`), or set {key}"),
        ),
    }
}

fn api(control: Result<(), Failure>) -> Check {
    const NAME: &str = "control";
    match control {
        Ok(()) => Check::ok(NAME, "answers, and so does its database"),
        Err(failure) if failure.code() == 4 => Check::warn(
            NAME,
            "does not run",
            "start `quell serve`; gateways keep enforcing their last snapshot meanwhile",
        ),
        Err(failure) if failure.code() == 2 => {
            Check::warn(NAME, failure.to_string(), "gateways and database were not checked")
        }
        Err(failure) => Check::fail(
            NAME,
            failure.to_string(),
            "look at control's log; is its database up and reachable?",
        ),
    }
}

fn reports(gateways: &[Value]) -> Vec<Check> {
    const NAME: &str = "gateway";
    if gateways.is_empty() {
        let todo = "start one: `quell serve` or `quell serve --role gateway`";
        return vec![Check::warn(NAME, "none has ever reported", todo)];
    }
    gateways.iter().map(report).collect()
}

fn report(state: &Value) -> Check {
    const NAME: &str = "gateway";
    let name = output::cell(state, "/report/gateway");
    let epoch = output::cell(state, "/report/epoch");
    let breakers = output::cell(state, "/report/open_breakers");
    if state["live"] != true {
        let found = format!("{name} was last seen {}", output::cell(state, "/last_seen_at"));
        let todo =
            "start it again; if it is gone for good, remove it on the console's gateway list";
        return Check::fail(NAME, found, todo);
    }
    if let Some(why) = state["report"]["refused"].as_str() {
        let found = format!("{name} refuses the newest snapshot: {why}");
        return Check::fail(NAME, found, "correct what it names; it enforces the snapshot before");
    }
    if state["current"] != true {
        let found = format!("{name} still runs on epoch {epoch}");
        return Check::warn(NAME, found, "look again in a few seconds; then at its log");
    }
    if !breakers.is_empty() {
        let found = format!("{name} stopped calling upstream {breakers} after failures");
        return Check::warn(NAME, found, "check that upstream; the breaker tries again by itself");
    }
    Check::ok(NAME, format!("{name} is live on epoch {epoch}"))
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use serde_json::json;

    #[test]
    fn gateways_are_judged_by_their_reports() {
        let sound = json!({
            "live": true, "current": true, "last_seen_at": "2026-05-01T10:00:00Z",
            "report": {"gateway": "gw-1", "epoch": 3, "open_breakers": []},
        });
        for (place, value, status) in [
            ("/live", json!(true), Status::Ok),
            ("/live", json!(false), Status::Fail),
            ("/current", json!(false), Status::Warn),
            ("/report/open_breakers", json!(["openai"]), Status::Warn),
        ] {
            let mut state = sound.clone();
            *state.pointer_mut(place).unwrap() = value;
            assert_eq!(report(&state).status, status, "{place}");
        }
        let mut state = sound;
        state["report"]["refused"] = json!("rules/x.yaml:3: no");
        assert_eq!(report(&state).status, Status::Fail);
        assert_eq!(reports(&[])[0].status, Status::Warn);
    }

    #[test]
    fn a_taken_port_is_a_failure_unless_it_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port("p", address, false, "k").status, Status::Fail);
        assert_eq!(port("p", address, true, "k").status, Status::Ok);
        drop(listener);
        assert_eq!(port("p", address, false, "k").status, Status::Ok);
    }
}
