//! A PostgreSQL database for one test: in the server `QUELL_TEST_POSTGRES_URL` names, else the
//! one on 127.0.0.1:5432, else a temporary cluster made with the local PostgreSQL binaries.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tempfile::TempDir;

const LOCAL_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// An empty database that is dropped with this value.
#[derive(Debug)]
pub struct TemporaryPostgres {
    name: String,
    admin_url: String,
    _cluster: Option<Arc<Cluster>>,
}

impl TemporaryPostgres {
    /// A fresh database, or none, which it says, where no PostgreSQL can be found.
    #[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
    pub fn start() -> Option<Self> {
        let started = Self::on_some_server();
        if started.is_none() {
            eprintln!("skipped: no PostgreSQL");
        }
        started
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        let (base, query) = match self.admin_url.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (self.admin_url.as_str(), String::new()),
        };
        let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
        format!("{server}/{}{query}", self.name)
    }

    fn on_some_server() -> Option<Self> {
        if let Ok(url) = std::env::var("QUELL_TEST_POSTGRES_URL") {
            return Self::create(url, None);
        }
        Self::create(LOCAL_SERVER.into(), None).or_else(|| {
            let cluster = Cluster::shared()?;
            Self::create(cluster.url(), Some(cluster))
        })
    }

    fn create(admin_url: String, cluster: Option<Arc<Cluster>>) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("quell_test_{}_{number}", std::process::id());
        let drop = format!("DROP DATABASE IF EXISTS {name}");
        let create = format!("CREATE DATABASE {name}");
        (sql(&admin_url, &drop) && sql(&admin_url, &create)).then_some(Self {
            name,
            admin_url,
            _cluster: cluster,
        })
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        sql(&self.admin_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A server of this test process alone. Lives as long as a test holds a database in it.
#[derive(Debug)]
struct Cluster {
    bin: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Cluster {
    fn shared() -> Option<Arc<Self>> {
        static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock();
        if let Some(cluster) = running.upgrade() {
            return Some(cluster);
        }
        let cluster = Arc::new(Self::start()?);
        *running = Arc::downgrade(&cluster);
        Some(cluster)
    }

    fn start() -> Option<Self> {
        let bin = newest_binaries()?;
        let folder = tempfile::Builder::new().prefix("quell-postgres-").tempdir().ok()?;
        if is_root() && !run(Command::new("chown").arg("postgres").arg(folder.path())) {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let cluster = Self { bin, folder, port };
        let data = cluster.data();
        let initdb = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
        let socket = cluster.folder.path().display().to_string();
        let options = format!("-h 127.0.0.1 -p {port} -k {socket} -c fsync=off");
        let log = format!("{socket}/log");
        let start = ["-D", &data, "-l", &log, "-o", &options, "-w", "start"];
        (cluster.run("initdb", &initdb) && cluster.run("pg_ctl", &start)).then_some(cluster)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// PostgreSQL refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        run(command.args(arguments).current_dir(self.folder.path()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }
}

/// `/usr/lib/postgresql/<version>/bin` with the greatest version.
fn newest_binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let version = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| binaries(*version).join("initdb").exists())
        .max()?;
    Some(binaries(version))
}

fn binaries(version: u32) -> PathBuf {
    Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn sql(url: &str, statement: &str) -> bool {
    run(Command::new("psql")
        .args(["-X", "-q", "-w", "-d", url, "-c", statement])
        .env("PGCONNECT_TIMEOUT", "5"))
}

fn run(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
