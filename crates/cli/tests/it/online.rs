//! Every command about state, against `quell serve` with the range behind it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Said, command, http, quell, quell_with};

/// A deployment of its own: `quell range` and `quell serve` on free ports, in a folder.
struct Deployment {
    folder: tempfile::TempDir,
    gateway: String,
    control: String,
    processes: Vec<Child>,
    range: String,
}

impl Deployment {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut range = command(folder.path())
            .args(["range", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = first_object(&mut range)["url"].as_str().unwrap().to_owned();
        let [gateway, control] = free_addresses();
        let text = format!(
            "data_dir = \"data\"\n[gateway]\nlisten = \"{gateway}\"\ndrain_seconds = 1\n\
             [control]\nlisten = \"{control}\""
        );
        std::fs::write(folder.path().join("quell.toml"), text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let serve = command(folder.path())
            .args(["serve", "--config", "quell.toml"])
            .stderr(log)
            .spawn()
            .unwrap();
        let deployment =
            Self { folder, gateway, control, processes: vec![serve, range], range: url };
        deployment.wait("control answers", || deployment.quell("app list").code == 0);
        deployment
    }

    /// `quell` with the words of `line`; `'…'` keeps words together.
    fn quell(&self, line: &str) -> Said {
        self.words(&words(line))
    }

    fn words(&self, words: &[String]) -> Said {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        quell(self.folder.path(), &[&["--config", "quell.toml"], &words[..]].concat())
    }

    /// Its JSON.
    fn json(&self, line: &str) -> Value {
        self.quell(&format!("{line} --json")).expect(0, &[]).json()
    }

    fn wait(&self, what: &str, mut until: impl FnMut() -> bool) {
        for _ in 0..300 {
            if until() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("never: {what}\n{log}");
    }

    /// Asks the model something through the gateway; the status.
    fn ask(&self, key: &str, user: &str, text: &str) -> Option<u16> {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {key}\r\nx-quell-user: {user}"
        );
        let body = serde_json::json!({
            "model": "range-1", "messages": [{"role": "user", "content": text}],
        });
        http(&self.gateway, &head, &body.to_string()).map(|(status, _)| status)
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        for process in &mut self.processes {
            let _ = process.wait();
        }
    }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The first JSON object a process prints.
fn first_object(process: &mut Child) -> Value {
    let mut text = String::new();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    loop {
        text.push_str(&lines.next().unwrap().unwrap());
        if let Ok(value) = serde_json::from_str(&text) {
            return value;
        }
    }
}

fn free_addresses() -> [String; 2] {
    // Both are held at once, so that they differ.
    let held = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().to_string())
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {value}"))
        .to_owned()
}

#[test]
fn the_whole_job_by_command_line() {
    let deployment = Deployment::start();
    inventory(&deployment);
    let key = keys(&deployment);
    people(&deployment);
    deployment.wait("the gateway serves", || deployment.ask(&key, "alice", "Hello") == Some(200));
    interactions(&deployment, &key);
    spend(&deployment);
    let incident = incidents(&deployment);
    containment(&deployment, &key, &incident);
    shutdown(&deployment, &key);
    rules(&deployment);
    evidence(&deployment, &incident);
    let checks = deployment.json("doctor");
    assert_eq!(checks["failures"], 0, "{checks:#}");
}

fn inventory(d: &Deployment) {
    d.quell(&format!("upstream set range --base-url {}", d.range)).expect(0, &["range made"]);
    d.quell("app set support --upstreams range --title 'Support desk' --owner ops")
        .expect(0, &["support made"]);
    d.quell("app set support --criticality high").expect(0, &["support changed"]);
    let app = d.json("app show support");
    assert_eq!(app["value"]["title"], "Support desk", "a change keeps the rest");
    assert_eq!(app["value"]["criticality"], "high");
    // What `show` prints can be given back as a file.
    let file = d.folder.path().join("app.json");
    std::fs::write(&file, app["value"].to_string()).unwrap();
    d.quell("app set support --file app.json").expect(0, &["support changed"]);
    d.quell("app list").expect(0, &["support", "range"]);
    d.quell("app spend support").expect(0, &["no budget"]);
    d.quell("app set support --budget user:day:tokens=1000000").expect(0, &["changed"]);
    d.quell("app spend nowhere").expect(3, &["nowhere"]);
    d.quell("upstream list").expect(0, &["range", "openai"]);

    std::fs::write(&file, r#"{"name":"support","upstreams":["range"],"colour":1}"#).unwrap();
    d.quell("app set support --file app.json").expect(2, &["colour"]);
    d.quell("app set other").expect(2, &["--upstreams"]);
    d.quell("app set Support --upstreams range").expect(3, &["a-z"]);
    d.quell("app set other --upstreams nowhere").expect(3, &["nowhere"]);
    d.quell("app show other").expect(3, &["other"]);
    d.quell("upstream set other").expect(2, &["--base-url"]);
    d.quell("upstream set other --base-url nonsense").expect(3, &["["]);
    d.quell("upstream remove range").expect(3, &["["]);
}

fn spend(d: &Deployment) {
    d.wait("the gateway reports what alice spent", || {
        d.json("app spend support")["budgets"][0]["holders"]
            .as_array()
            .is_some_and(|holders| holders.iter().any(|h| h["who"] == "asserted:alice"))
    });
    d.quell("app spend support").expect(0, &["user day", "asserted alice", "1000000 tokens"]);
}

fn keys(d: &Deployment) -> String {
    let made = d.quell("key create --app support --label test").expect(0, &["shown this once"]);
    let key = made.out.trim().to_owned();
    assert!(!key.contains(' ') && key.len() > 32, "{key}");
    let bound = d.json("key create --app support --user bob --expires 1d");
    assert_eq!(bound["key"]["user"], "bob");
    let id = text(&bound, "/key/id");
    let listed = d.quell("key list --app support").expect(0, &["bob", "test"]);
    assert!(!listed.out.contains(&key), "texts are not kept");
    d.quell(&format!("key revoke {id}")).expect(0, &["revoked"]);

    d.quell("key create --app nowhere").expect(3, &["nowhere"]);
    d.quell("key create --app support --expires yesterday").expect(2, &["neither a time"]);
    d.quell("key revoke key_nonsense").expect(3, &["["]);
    key
}

fn people(d: &Deployment) {
    let create = ["--config", "quell.toml", "account", "create", "carol", "--role", "approver"];
    let folder = d.folder.path();
    quell_with(folder, &create, "a long enough password\n").expect(0, &["carol"]);
    d.quell("account role carol responder").expect(0, &["responder"]);
    d.quell("account list").expect(0, &["carol", "responder"]);
    d.quell("account disable carol").expect(0, &["disabled"]);
    d.quell("account enable carol").expect(0, &["enabled"]);

    quell_with(folder, &create, "a long enough password\n").expect(3, &["["]);
    quell_with(folder, &create, "").expect(2, &["no password"]);
    d.quell("account disable nobody").expect(3, &["nobody"]);

    let token = d.quell("token create viewer --role viewer").expect(0, &["once"]).out;
    let token = token.trim();
    d.quell(&format!("incident list --token {token}")).expect(0, &[]);
    d.quell(&format!("token list --token {token}")).expect(3, &["admin"]);
    let listed = d.json("token list");
    let mine = listed.as_array().unwrap().iter().find(|token| token["name"] == "viewer").unwrap();
    d.quell(&format!("token revoke {}", text(mine, "/id"))).expect(0, &["revoked"]);
    d.quell(&format!("incident list --token {token}")).expect(3, &["["]);
    d.quell("token create 'Bad Name'").expect(3, &["a-z"]);
    d.quell("token create x --role emperor").expect(2, &["emperor"]);
}

fn interactions(d: &Deployment, key: &str) {
    assert_eq!(d.ask(key, "alice", "Where is my order with the purple ribbon?"), Some(200));
    let list = d.json("interactions list --app support --limit 5");
    let id = text(&list, "/0/id");
    d.quell("interactions list").expect(0, &["alice", "allowed"]);
    let shown = d.quell(&format!("interactions show {id}")).expect(0, &["--reason"]);
    assert!(!shown.out.contains("purple"), "no text without a reason");
    let line = format!("interactions show {id} --reason 'checking a complaint'");
    d.quell(&line).expect(0, &["purple ribbon", "--- request: user"]);
    let found = d.json("interactions search 'PURPLE ribbon' --since 1h");
    assert_eq!(found[0]["id"], id.as_str());
    assert_eq!(d.json("interactions search 'no such words'"), serde_json::json!([]));

    d.quell("interactions show int_nonsense").expect(3, &["["]);
    d.quell("interactions list --outcome lost").expect(2, &["lost"]);
    d.quell(&format!("interactions show {id} --reason ''")).expect(3, &["reason"]);
}

fn incidents(d: &Deployment) -> String {
    let line =
        "incident declare --app support --severity medium --kind jailbreak --title 'Odd answers'";
    let made = d.json(line);
    let number = text(&made, "/incident/number");
    d.quell("incident list").expect(0, &[&number, "Odd answers"]);
    d.quell(&format!("incident show {number}")).expect(0, &["Odd answers", "possible", "measures"]);
    d.quell(&format!("incident severity {number} high --reason 'more users'")).expect(0, &["high"]);
    d.quell(&format!("incident kind {number} prompt_injection --reason 'seen in a document'"))
        .expect(0, &["prompt_injection"]);
    d.quell(&format!("incident note {number} 'Called the owner'")).expect(0, &["note not_"]);
    let roles = d.json(&format!("incident roles {number}"));
    let role = text(&roles, "/0/role");
    d.quell(&format!("incident assign {number} {role} carol")).expect(0, &["carol"]);
    d.quell(&format!("incident roles {number}")).expect(0, &["carol"]);
    d.quell(&format!("incident renounce {number} {role} carol")).expect(0, &["no longer"]);
    let parts = ["incident.", "note.added", "by token:"];
    d.quell(&format!("incident timeline {number}")).expect(0, &parts);

    d.quell(&format!("incident transition {number} recover")).expect(0, &["recovering"]);
    d.quell(&format!("incident transition {number} contain")).expect(3, &["["]);
    d.quell("incident show INC-1999-0001").expect(3, &["INC-1999-0001"]);
    d.quell(&format!("incident assign {number} {role} nobody")).expect(3, &["["]);
    d.quell(&format!("incident severity {number} low --reason ''")).expect(3, &["reason"]);
    d.quell("incident declare --app nowhere --severity low --title x").expect(3, &["nowhere"]);

    let other = text(&d.json(line), "/incident/number");
    d.quell(&format!("incident close {other} --reason 'same as the first'")).expect(0, &["closed"]);
    d.quell("incident list --ended").expect(0, &[&other]);
    number
}

fn containment(d: &Deployment, key: &str, incident: &str) {
    let line = format!(
        "contain apply restrict --app support --user mallory --incident {incident} \
         --minutes 60 --reason 'keeps asking' --wait"
    );
    let applied = d.quell(&line).expect(0, &["verified", "user mallory", "probe by gw-1: met"]);
    assert!(applied.err.contains("requested"), "progress is told: {applied:?}");
    assert_eq!(d.ask(key, "mallory", "Hello"), Some(403));
    assert_eq!(d.ask(key, "alice", "Hello"), Some(200));
    let list = d.json("contain list --app support");
    let measure = text(&list, "/items/0/id");
    d.quell(&format!("contain show {measure}")).expect(0, &["verified", "acknowledged"]);
    d.quell(&format!("incident show {incident}")).expect(0, &["user mallory", "verified"]);
    d.quell(&format!("contain lift {measure} --reason 'talked to them' --wait"))
        .expect(0, &["lifted"]);
    assert_eq!(d.ask(key, "mallory", "Hello"), Some(200));

    d.quell("contain apply degrade --app support --max-tokens 20 --reason slow --minutes 5 --wait")
        .expect(0, &["verified", "degrade"]);
    d.quell("contain apply restrict --app support --regex 'blue +ledger' --sample 'blue  ledger' --reason leak --wait")
        .expect(0, &["verified", "pattern"]);
    let proposed =
        d.json("contain propose fallback --app support --reason 'just in case' --minutes 5");
    let proposed = text(&proposed, "/measure/id");
    d.quell(&format!("contain accept {proposed} --wait")).expect(0, &["verified"]);
    d.quell(&format!("contain lift {proposed} --reason done --wait")).expect(0, &["lifted"]);
    let proposed =
        d.json("contain propose restrict --app support --user eve --reason 'just in case'");
    let proposed = text(&proposed, "/measure/id");
    d.quell(&format!("contain reject {proposed} --reason 'not needed'")).expect(0, &["declined"]);

    d.quell("contain apply restrict --app support --regex '(' --sample x --reason r")
        .expect(3, &["["]);
    d.quell("contain apply restrict --app nowhere --user u --reason r").expect(3, &["nowhere"]);
    d.quell(&format!("contain lift {measure} --reason again")).expect(3, &["["]);
}

fn shutdown(d: &Deployment, key: &str) {
    d.quell("contain apply shutdown --app support --reason 'leaking' --yes")
        .expect(3, &["measure.approval_required", "contain request-approval --app support"]);
    let asked = d.json("contain request-approval --app support --reason leaking --minutes 30");
    let approval = text(&asked, "/approval/id");
    let measure = text(&asked, "/measure/id");
    d.quell("contain approvals --pending").expect(0, &[&approval, "shutdown"]);
    d.quell(&format!("contain approve {approval} --reason 'my own'")).expect(3, &["["]);
    d.quell(&format!("contain accept {measure}")).expect(3, &["["]);
    d.quell("contain approve apr_nonsense --reason r").expect(3, &["["]);
    d.quell(&format!(
        "contain apply shutdown --app support --model m --approval {approval} --reason r"
    ))
    .expect(2, &["another target"]);
    d.quell(&format!("contain reject {approval} --reason 'too much'")).expect(3, &["["]);
    assert_eq!(d.ask(key, "alice", "Hello"), Some(200), "nothing was shut down");

    let other = token_of_second_administrator(d);
    let line = format!("contain approve {approval} --reason agreed --apply --wait --token {other}");
    d.quell(&line).expect(0, &["verified", "shutdown", &approval]);
    assert_ne!(d.ask(key, "alice", "Hello"), Some(200));
    d.quell(&format!("contain lift {measure} --reason 'leak closed' --wait"))
        .expect(0, &["lifted"]);
    assert_eq!(d.ask(key, "alice", "Hello"), Some(200));

    // An approval that is only granted is spent by whoever asked, on exactly what was approved.
    let asked = d.json("contain request-approval --app support --reason again --minutes 30");
    let approval = text(&asked, "/approval/id");
    d.quell(&format!("contain approve {approval} --reason agreed --token {other}"))
        .expect(0, &["approved", "contain accept"]);
    let line = format!("contain apply shutdown --app support --approval {approval} --reason again");
    d.quell(&format!("{line} --wait")).expect(0, &["verified"]);
    d.quell(&line).expect(3, &["["]);
    let measure = text(&asked, "/measure/id");
    d.quell(&format!("contain lift {measure} --reason done --wait")).expect(0, &["lifted"]);
}

/// A token of somebody who is not the local administrator: made by signing in.
fn token_of_second_administrator(d: &Deployment) -> String {
    let create = ["--config", "quell.toml", "account", "create", "dana", "--role", "admin"];
    quell_with(d.folder.path(), &create, "another long password\n").expect(0, &["dana"]);
    let post = |path: &str, headers: &str, body: Value| {
        let head = format!("POST /api/v1/{path} HTTP/1.1{headers}");
        let (status, answer) = http(&d.control, &head, &body.to_string()).unwrap();
        assert!(status < 300, "{answer}");
        answer
    };
    let answer = post(
        "session",
        "",
        serde_json::json!({"name": "dana", "password": "another long password"}),
    );
    let between = |from: &str, to: &str| {
        let rest = answer.split_once(from).unwrap_or_else(|| panic!("{from} in {answer}")).1;
        rest.split_once(to).unwrap().0.to_owned()
    };
    let headers = format!(
        "\r\ncookie: {}\r\nx-quell-csrf: {}",
        between("set-cookie: ", ";"),
        between("\"csrf\":\"", "\"")
    );
    let answer =
        post("tokens", &headers, serde_json::json!({"name": "laptop", "role": "approver"}));
    let secret = answer.split_once("\"secret\":\"").unwrap().1;
    secret.split_once('"').unwrap().0.to_owned()
}

fn rules(d: &Deployment) {
    d.quell("rules list").expect(0, &["system_prompt_extraction", "block"]);
    d.quell("rules explain system_prompt_extraction")
        .expect(0, &["enforce", "rules/extraction.yaml"]);
    d.quell("rules mode system_prompt_extraction shadow --reason 'false alarms'")
        .expect(0, &["shadow"]);
    d.quell("rules explain system_prompt_extraction").expect(0, &["shadow", "false alarms"]);
    d.quell("rules mode system_prompt_extraction --reset").expect(0, &["as it ships"]);
    d.quell("rules content list").expect(0, &["(none)"]);

    std::fs::create_dir_all(d.folder.path().join("rules")).unwrap();
    std::fs::write(d.folder.path().join("rules/own.yaml"), "title: broken\n").unwrap();
    d.quell("rules content put rules/own.yaml").expect(3, &["rules/own.yaml:"]);
    d.quell("rules mode nonsense shadow --reason r").expect(3, &["nonsense"]);
    d.quell("rules mode system_prompt_extraction shadow").expect(2, &["--reason"]);
}

fn evidence(d: &Deployment, incident: &str) {
    d.quell(&format!("evidence capture {incident}")).expect(0, &["manifest"]);
    let list = d.json(&format!("evidence list --incident {incident}"));
    let item = text(&list, "/items/0/id");
    d.quell(&format!("evidence show {item} --reason 'for the review'")).expect(0, &[]);
    let exported = d.json(&format!("evidence export {incident} --reason 'for the auditor'"));
    let digest = text(&exported, "/report/manifest_sha256");
    let file = format!("{incident}.tar");
    let mode = std::fs::metadata(d.folder.path().join(&file)).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o077, 0);
    d.quell(&format!("evidence verify {file} --manifest {digest}")).expect(0, &["intact"]);

    d.quell(&format!("evidence export {incident} --reason again")).expect(2, &["exists"]);
    d.quell(&format!("evidence export {incident} --reason '' --output other.tar"))
        .expect(3, &["reason"]);
    assert!(!d.folder.path().join("other.tar").exists());
    d.quell("evidence show evi_nonsense --reason r").expect(3, &["["]);
}
