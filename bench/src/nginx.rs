//! nginx as a plain reverse proxy, with a configuration of its own in a temporary folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{Cores, Process};

/// Where nginx is, if it is installed.
pub(crate) fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&paths).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().map(|folder| folder.join("nginx")).find(|path| path.is_file())
}

/// Its version, as it says it.
pub(crate) fn version(program: &Path) -> String {
    let said = Command::new(program).arg("-v").output().map(|out| out.stderr).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().replace("nginx version: ", "")
}

/// One worker in one process, connections to `upstream` kept, nothing buffered or logged.
pub(crate) async fn start(
    program: &Path,
    folder: &Path,
    upstream: SocketAddr,
    cores: Cores,
) -> anyhow::Result<(Process, SocketAddr)> {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let here = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {here}/pid; error_log stderr crit;
         events {{ worker_connections 1024; }}
         http {{
           access_log off; tcp_nodelay on; keepalive_requests 1000000000;
           client_max_body_size 16m; client_body_buffer_size 1m;
           client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;
           uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;
           upstream model {{
             server {upstream}; keepalive 256; keepalive_requests 1000000000;
           }}
           server {{
             listen {port};
             location / {{
               proxy_pass http://model; proxy_http_version 1.1;
               proxy_set_header Connection \"\"; proxy_buffering off;
             }}
           }}
         }}"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).context("writing nginx.conf")?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&path).arg("-e").arg("stderr");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok((cores.spawn_measured(&mut command)?, port))
}
