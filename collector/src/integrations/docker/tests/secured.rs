//! Engines behind TLS.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use supervision::Supervisor;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::{between::Between, *};
use crate::testing::web::serve_all;

/// Longer than any of these tests.
const LONG: Duration = Duration::from_mins(1);

/// Writes `ca.pem`, and a certificate of it for a server and a client each, as `docker -H` wants them.
pub(super) fn make_certificates(dir: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&key).unwrap();
    std::fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    for (name, host) in [("server-", "127.0.0.1"), ("", "homelog")] {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![host.to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        std::fs::write(dir.join(format!("{name}cert.pem")), cert.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}key.pem")), key.serialize_pem()).unwrap();
    }
}

fn server(dir: &Path) -> Arc<ServerConfig> {
    let certificate = |name: &str| CertificateDer::from_pem_file(dir.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate("server-cert.pem")],
            PrivateKeyDer::from_pem_file(dir.join("server-key.pem")).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

pub(super) fn options(url: &str, tls: serde_json::Value) -> Params {
    let mut params = json!({"url": url});
    params["tls"] = tls;
    serde_json::from_value(params).unwrap()
}

/// What a client is given, of the files in a directory.
pub(super) fn files(dir: &Path) -> serde_json::Value {
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    json!({"ca": file("ca.pem"), "cert": file("cert.pem"), "key": file("key.pem")})
}

async fn fails(params: Params) -> PollError {
    let mut docker = Docker::open(params, &testing::context("here.docker")).unwrap();
    docker.poll(&mut testing::batch()).await.unwrap_err()
}

#[tokio::test]
async fn an_engine_behind_tls_is_read_and_heard() {
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path());
    let fake = web_runs();
    let engine = Between::start(&fake.url(), LONG, Some(server(dir.path()))).await;
    for scheme in ["https", "tcp"] {
        let params = options(
            &format!("{scheme}://{}", engine.address()),
            files(dir.path()),
        );
        let mut docker = Docker::open(params, &testing::context("here.docker")).unwrap();
        docker.since_nanos = START;
        let told = poll(&mut docker).await;
        assert_eq!(text(of(&told, "web"), "state"), "running");
        connect(&mut docker, &fake).await;
        fake.tell(
            START + 5_000_000,
            "aaaaaaaaaaaaaaaa",
            "oom",
            json!({"name": "web"}),
        )
        .await;
        let (told, _) = listen(&mut docker).await;
        assert_eq!(changes(&told), [("web", "oom", "running")], "{scheme}");
        fake.forget_history();
        fake.cut_streams();
    }
}

#[tokio::test]
async fn who_is_not_who_it_should_be_is_told_with_the_fix() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    make_certificates(dir.path());
    make_certificates(elsewhere.path());
    let fake = web_runs();
    let engine = Between::start(&fake.url(), LONG, Some(server(dir.path()))).await;
    let url = format!("https://{}", engine.address());

    let nobody = fails(options(&url, json!({"ca": files(dir.path())["ca"]}))).await;
    assert_eq!(nobody.class, FailureClass::BadCredentials, "{nobody}");
    assert!(nobody.message.contains("client certificate"), "{nobody}");

    let mut stranger = files(elsewhere.path());
    stranger["ca"] = files(dir.path())["ca"].clone();
    let stranger = fails(options(&url, stranger)).await;
    assert_eq!(stranger.class, FailureClass::BadCredentials, "{stranger}");

    let unknown = fails(options(&url, files(elsewhere.path()))).await;
    assert_eq!(unknown.class, FailureClass::Tls, "{unknown}");
    assert!(unknown.message.contains("sha256:"), "{unknown}");

    // as Docker's own server answers to what is no HTTP
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let supervisor = Supervisor::new();
    serve_all(&supervisor, listener, |mut client| async move {
        client.read_u8().await?;
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    });
    let no_tls = fails(options(
        &format!("https://127.0.0.1:{port}"),
        files(dir.path()),
    ))
    .await;
    supervisor.stop();
    assert_eq!(no_tls.class, FailureClass::Tls, "{no_tls}");

    // what Docker's own server says to whoever speaks plainly to its port for TLS
    fake.instead(
        "/version",
        Answer::Raw(
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        ),
    );
    let plainly = fails(Params::at(fake.url())).await;
    assert_eq!(plainly.class, FailureClass::Tls, "{plainly}");
    assert!(plainly.message.contains("https://"), "{plainly}");
}

#[test]
fn half_a_client_certificate_is_refused_with_what_is_missing() {
    let refused = |tls| {
        let params = options("tcp://127.0.0.1:2376", tls);
        Docker::open(params, &testing::context("here.docker"))
            .err()
            .unwrap()
    };
    for (tls, words) in [
        (json!({"cert": "/none/cert.pem"}), "`key`"),
        (json!({"key": "/none/key.pem"}), "`cert`"),
        (json!({"ca": "/none/ca.pem"}), "/none/ca.pem"),
        (json!({"ca": "x", "insecure": true}), "choose one"),
    ] {
        let refused = refused(tls);
        assert!(
            refused.key == "tls" && refused.message.contains(words),
            "{refused}"
        );
    }
    let plain = options("unix:///var/run/docker.sock", json!({"ca": "x"}));
    let refused = Docker::open(plain, &testing::context("here.docker"))
        .err()
        .unwrap();
    assert_eq!(refused.key, "url");
}
