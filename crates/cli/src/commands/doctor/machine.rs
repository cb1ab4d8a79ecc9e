//! What can be seen without asking any process: folders, tokens, disk, clock, database file.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use quell_domain::{Clock, SystemClock};

use super::Check;
use crate::config::Config;
use crate::local;

/// Below this, recording may stop soon.
const DISK_WARN_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// Below this, `record = required` starts to refuse requests.
const DISK_FAIL_BYTES: u64 = 512 * 1024 * 1024;
/// No honest clock is before this: 2026-01-01.
const EARLIEST_SECOND: i64 = 1_767_225_600;
/// Files may be stamped this far ahead: file systems and containers round.
const AHEAD: Duration = Duration::from_mins(2);

/// Every check of this machine.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![data_dir(&config.data_dir)];
    for name in [local::ADMIN_TOKEN, local::NODE_TOKEN] {
        checks.extend(token(&config.data_dir, name));
    }
    checks.push(disk(&config.data_dir));
    let now = SystemClock::new().now();
    checks.push(snapshot(config, now));
    checks.push(clock(config, now));
    checks.push(database_file(config));
    checks
}

fn data_dir(dir: &Path) -> Check {
    const NAME: &str = "data folder";
    let shown = dir.display();
    let Ok(metadata) = std::fs::metadata(dir) else {
        let todo = "`quell serve` makes it; if it should be there, check data_dir and --config";
        return Check::warn(NAME, format!("{shown} does not exist yet"), todo);
    };
    if !metadata.is_dir() {
        return Check::fail(NAME, format!("{shown} is no folder"), "set data_dir to a folder");
    }
    if let Err(error) = tempfile::NamedTempFile::new_in(dir) {
        let todo = format!("let this user write there: chown -R $(id -un) {shown}");
        return Check::fail(NAME, format!("{shown} is not writable: {error}"), todo);
    }
    if open_to_others(&metadata) {
        let found = format!("{shown} can be read by other users (mode {:o})", mode(&metadata));
        return Check::warn(NAME, found, format!("chmod 700 {shown}"));
    }
    Check::ok(NAME, format!("{shown}, writable, private"))
}

/// A token file; none when there is no data folder yet.
fn token(dir: &Path, name: &'static str) -> Option<Check> {
    if !dir.is_dir() {
        return None;
    }
    let path = dir.join(name);
    let Ok(metadata) = std::fs::metadata(&path) else {
        let todo = "`quell serve` writes it on its first start";
        return Some(Check::warn(name, "missing", todo));
    };
    if open_to_others(&metadata) {
        let found = format!("can be read by other users (mode {:o})", mode(&metadata));
        let todo = format!(
            "chmod 600 {}; then replace it: whoever read it has its rights (remove the file and \
             restart `quell serve`, and revoke the old token with `quell token revoke`)",
            path.display()
        );
        return Some(Check::fail(name, found, todo));
    }
    Some(Check::ok(name, "private"))
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

fn open_to_others(metadata: &Metadata) -> bool {
    mode(metadata) & 0o077 != 0
}

fn disk(dir: &Path) -> Check {
    const NAME: &str = "disk";
    let there = dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let free = match rustix::fs::statvfs(there) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            let found = format!("cannot ask how much is free: {error}");
            return Check::warn(NAME, found, "look with `df`");
        }
    };
    let found = format!("{} MiB free", free / (1024 * 1024));
    let todo = "free space, or move data_dir: a gateway that cannot record refuses requests";
    if free < DISK_FAIL_BYTES {
        Check::fail(NAME, found, todo)
    } else if free < DISK_WARN_BYTES {
        Check::warn(NAME, found, todo)
    } else {
        Check::ok(NAME, found)
    }
}

/// When the file at `path` was last written.
fn written(path: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

fn snapshot_file(config: &Config) -> std::path::PathBuf {
    config.data_dir.join("gateway").join(&config.gateway.name).join("snapshot.json")
}

fn snapshot(config: &Config, now: Timestamp) -> Check {
    const NAME: &str = "snapshot";
    match written(&snapshot_file(config)) {
        None => Check::warn(
            NAME,
            format!("gateway {} holds none on this machine", config.gateway.name),
            "without one a gateway answers 503; start `quell serve` and let it reach control",
        ),
        Some(at) => {
            let minutes = now.duration_since(at).as_secs() / 60;
            Check::ok(NAME, format!("held on disk, changed {minutes} min ago"))
        }
    }
}

fn clock(config: &Config, now: Timestamp) -> Check {
    const NAME: &str = "clock";
    let todo = "set the clock (NTP): expiries, deadlines and evidence depend on it";
    if now.as_second() < EARLIEST_SECOND {
        return Check::fail(NAME, format!("it says {now}, which is in the past"), todo);
    }
    if let Some(at) = written(&snapshot_file(config))
        && at.duration_since(now).unsigned_abs() > AHEAD
        && at > now
    {
        let found = format!("it says {now}, but the last snapshot was written at {at}");
        return Check::fail(NAME, found, todo);
    }
    Check::ok(NAME, now.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Whether the database is where the settings say, without opening it: a running server owns it.
fn database_file(config: &Config) -> Check {
    const NAME: &str = "database";
    let url = match config.database_url() {
        Ok(url) => url,
        Err(error) => {
            let todo = "set the variable or file that control.database refers to";
            return Check::fail(NAME, format!("{error:#}"), todo);
        }
    };
    let Some(path) = url.strip_prefix("sqlite:") else { return Check::ok(NAME, server(&url)) };
    let path = path.trim_start_matches("//").split('?').next().unwrap_or_default();
    match std::fs::metadata(path) {
        Ok(metadata) if open_to_others(&metadata) && !private(Path::new(path)) => Check::warn(
            NAME,
            format!("{path} can be read by other users (mode {:o})", mode(&metadata)),
            format!("chmod 600 {path}"),
        ),
        Ok(metadata) => Check::ok(NAME, format!("{path}, {} KiB", metadata.len() / 1024)),
        Err(_) => Check::warn(NAME, format!("{path} does not exist yet"), "`quell serve` makes it"),
    }
}

/// Whether the folder around `path` keeps others out.
fn private(path: &Path) -> bool {
    path.parent()
        .and_then(|folder| std::fs::metadata(folder).ok())
        .is_some_and(|folder| !open_to_others(&folder))
}

/// Host and database of a URL, without user and password.
fn server(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(url) => format!("{} at {}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path()),
        Err(_) => "a database server".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn config(dir: &Path) -> Config {
        let mut config = Config::load(None).unwrap();
        config.data_dir = dir.to_owned();
        config
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn open_doors_are_found() {
        let folder = tempfile::tempdir().unwrap();
        chmod(folder.path(), 0o700);
        assert_eq!(data_dir(folder.path()).status, Status::Ok);
        let path = folder.path().join(local::ADMIN_TOKEN);
        std::fs::write(&path, "qt_x").unwrap();
        for (mode, status) in [(0o600, Status::Ok), (0o640, Status::Fail), (0o604, Status::Fail)] {
            chmod(&path, mode);
            assert_eq!(token(folder.path(), local::ADMIN_TOKEN).unwrap().status, status);
        }
        chmod(folder.path(), 0o755);
        assert_eq!(data_dir(folder.path()).status, Status::Warn);
        assert_eq!(data_dir(&path).status, Status::Fail);
        assert_eq!(data_dir(&folder.path().join("none")).status, Status::Warn);
    }

    #[test]
    fn a_clock_that_went_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let file = snapshot_file(&config);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{}").unwrap();
        let at = written(&file).unwrap();
        for (hours, status) in [(1, Status::Ok), (0, Status::Ok), (-1, Status::Fail)] {
            let now = at + jiff::SignedDuration::from_hours(hours);
            assert_eq!(clock(&config, now).status, status, "{hours}");
        }
        assert_eq!(clock(&config, Timestamp::UNIX_EPOCH).status, Status::Fail);
    }

    #[test]
    fn passwords_of_databases_are_not_shown() {
        let shown = server("postgres://quell:secret@db.internal:5432/quell");
        assert_eq!(shown, "postgres at db.internal/quell");
    }
}
