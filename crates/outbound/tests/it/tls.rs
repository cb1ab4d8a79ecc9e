//! TLS that succeeds, and TLS with a certificate for somebody else.
//!
//! The certificate store is read once per process, so the exchange runs in a child process whose
//! `SSL_CERT_FILE` names a certificate authority made for the test by the `openssl` program.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request};
use quell_outbound::{
    GuardOptions, GuardedClient, OutboundError, UpstreamClient, UpstreamOptions, full_body,
    read_body,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const CHILD: &str = "QUELL_OUTBOUND_TEST_CHILD";

fn openssl(folder: &Path, arguments: &str) -> bool {
    Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn make_certificates(folder: &Path) -> bool {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 2"))
        && openssl(folder, &format!("req {key} -keyout own.key -out own.csr -subj /CN=localhost"))
        && openssl(
            folder,
            "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 2 -extfile names \
             -out own.pem",
        )
}

#[test]
fn https_works_with_the_right_certificate_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) {
        println!("skipped: no openssl program");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["tls::child_talks_to_itself", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("ca.pem"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("both clients answered"), "{text}");
}

/// Not a test by itself: see the one above.
#[tokio::test]
async fn child_talks_to_itself() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let port = serve(Path::new(&folder)).await;
    let limit = Duration::from_secs(10);

    let upstream = UpstreamClient::new(&UpstreamOptions::default()).unwrap();
    let get =
        |host: &str| Request::get(format!("https://{host}:{port}/")).body(full_body("")).unwrap();
    let response = upstream.send(get("localhost"), limit).await.unwrap();
    assert_eq!(read_body(response.into_body(), 10).await.unwrap(), "hello");
    let error = upstream.send(get("127.0.0.1"), limit).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");

    let allow = vec!["localhost".into(), "127.0.0.1".into()];
    let guarded = GuardedClient::new(GuardOptions { allow, ..GuardOptions::default() });
    let get = async |host: &str| {
        let url = format!("https://{host}:{port}/");
        guarded.send(Method::GET, &url, HeaderMap::new(), "").await
    };
    assert_eq!(get("localhost").await.unwrap().body, "hello");
    let error = get("127.0.0.1").await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
    println!("both clients answered");
}

/// Answers every request with `hello`, over TLS.
async fn serve(folder: &Path) -> u16 {
    let certificate = CertificateDer::from_pem_file(folder.join("own.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("own.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // A client that refuses the certificate ends the handshake: that is the test.
            let Ok(mut session) = acceptor.accept(socket).await else { continue };
            let mut request = [0; 4_096];
            let _ = session.read(&mut request).await;
            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            let _ = session.write_all(reply).await;
            let _ = session.shutdown().await;
        }
    });
    port
}
