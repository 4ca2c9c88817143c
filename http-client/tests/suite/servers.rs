//! The client against real servers, with and without TLS.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use http_client::{Client, Error, Fingerprint, Options, Redirects, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use secrecy::SecretString;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// An authority and a certificate that it signed for `localhost`.
pub(super) struct Certified {
    authority: String,
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: Fingerprint,
}

fn certified() -> Certified {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::from_params(&params, &authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let fingerprint = Fingerprint::of(certificate.der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    Certified {
        authority: authority.pem(),
        config: Arc::new(config),
        fingerprint,
    }
}

pub(super) fn shared() -> &'static Certified {
    static CERTIFIED: OnceLock<Certified> = OnceLock::new();
    CERTIFIED.get_or_init(certified)
}

/// Reads one request and answers by its path.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let plain = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match path {
        "/hello" => plain("hello"),
        "/head" => plain(&head),
        "/json" => plain("{\"n\":7}"),
        "/elsewhere" => {
            "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.test/x?token=secret\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        "/here" => "HTTP/1.1 307 Temporary\r\nlocation: /hello\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "/round" => "HTTP/1.1 307 Temporary\r\nlocation: /round\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "/announced" => "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_owned(),
        "/endless" => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_err() {
                return;
            }
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            return;
        }
        "/bomb" => {
            // a megabyte of nothing in a kilobyte of gzip
            let mut body = include_bytes!("zeros.gz").to_vec();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let mut all = head.into_bytes();
            all.append(&mut body);
            drop(stream.write_all(&all).await);
            return;
        }
        "/slow" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
            drop(stream.write_all(head.as_bytes()).await);
            for _ in 0..1000 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
            return;
        }
        "/silent" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return;
        }
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf".to_owned(),
        "/busy" => "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 13\r\n\r\nnot\nright now\u{7}".to_owned(),
        other => panic!("nobody asks for {other}"),
    };
    drop(stream.write_all(text.as_bytes()).await);
    drop(stream.shutdown().await);
}

/// Serves until the test ends; with TLS if there is a certificate.
async fn serve(tls: Option<Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async move {
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let tls = tls.clone();
            tasks.spawn(async move {
                match tls {
                    None => answer(stream).await,
                    Some(tls) => {
                        if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                            answer(stream).await;
                        }
                    }
                }
            });
        }
    };
    #[expect(clippy::disallowed_methods, reason = "a server for one test")]
    tokio::spawn(server);
    address
}

fn quick(tls: Tls) -> Options {
    Options {
        tls,
        timeout: Duration::from_millis(800),
        read_timeout: Duration::from_millis(500),
        max_body: 64 * 1024,
        ..Options::default()
    }
}

async fn over_tls(tls: Tls) -> Result<String, Error> {
    let address = serve(Some(Arc::clone(&shared().config))).await;
    let client = Client::new(quick(tls)).unwrap();
    let url = format!("https://localhost:{}/hello", address.port());
    client.get(&url).send().await?.text().await
}

async fn plain(path: &str, options: Options) -> Result<String, Error> {
    let address = serve(None).await;
    let client = Client::new(options).unwrap();
    let url = format!("http://{address}{path}");
    client.get(&url).send().await?.text().await
}

#[tokio::test]
async fn the_pinned_certificate_is_believed_whoever_signed_it() {
    let text = over_tls(Tls::Fingerprint(shared().fingerprint))
        .await
        .unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_told_with_its_fingerprint() {
    let wrong = Fingerprint::of(b"another");
    let error = over_tls(Tls::Fingerprint(wrong)).await.unwrap_err();
    let Error::Certificate { seen, pinned, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*seen, *pinned), (shared().fingerprint, true));
    let text = error.to_string();
    for part in [
        "localhost:",
        &shared().fingerprint.to_string(),
        &wrong.to_string(),
        "set this fingerprint",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(!text.contains('\n') && !error.is_transient(), "{text}");
}

/// A server that shows one certificate and signs with the key of another.
#[derive(Debug)]
struct Mismatched(Arc<CertifiedKey>);
impl ResolvesServerCert for Mismatched {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// The pin is on the certificate, but who has no key to it is still refused.
#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_of_no_use() {
    let key = KeyPair::generate().unwrap();
    let stolen = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let thief = KeyPair::generate().unwrap();
    let signing =
        aws_lc_rs::sign::any_supported_type(&thief.serialize_der().try_into().unwrap()).unwrap();
    let shown = CertifiedKey::new(vec![stolen.der().clone()], signing);
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Mismatched(Arc::new(shown))));
    let address = serve(Some(Arc::new(config))).await;
    for tls in [
        Tls::Fingerprint(Fingerprint::of(stolen.der())),
        Tls::Insecure,
    ] {
        let client = Client::new(quick(tls)).unwrap();
        let url = format!("https://localhost:{}/hello", address.port());
        let error = client.get(&url).send().await.unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_own_authority_is_believed_for_the_names_it_signed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, &shared().authority).unwrap();
    assert_eq!(over_tls(Tls::Ca(path.clone())).await.unwrap(), "hello");

    let address = serve(Some(Arc::clone(&shared().config))).await;
    let client = Client::new(quick(Tls::Ca(path.clone()))).unwrap();
    let error = client
        .get(&format!("https://{address}/hello"))
        .send()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Certificate { pinned: false, .. }),
        "another name: {error}"
    );

    std::fs::write(&path, certified().authority).unwrap();
    let error = over_tls(Tls::Ca(path)).await.unwrap_err();
    assert!(
        matches!(error, Error::Certificate { .. }),
        "another authority: {error}"
    );
}

#[tokio::test]
async fn an_unknown_authority_is_refused_and_the_way_to_accept_it_is_told() {
    let error = over_tls(Tls::System).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Certificate { pinned: false, .. }),
        "{text}"
    );
    assert!(
        text.contains(&shared().fingerprint.to_string()) && text.contains("fingerprint = "),
        "{text}"
    );
    assert_eq!(over_tls(Tls::Insecure).await.unwrap(), "hello");
}

#[tokio::test]
async fn no_token_goes_out_in_the_clear_where_a_certificate_was_expected() {
    let address = serve(None).await;
    let client = Client::new(quick(Tls::Fingerprint(shared().fingerprint))).unwrap();
    let error = client
        .get(&format!("http://{address}/hello"))
        .send()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Plain { .. }), "{error}");
    // nor by a library that was given the client underneath
    let url = format!("http://{address}/hello");
    assert!(client.inner().get(&url).send().await.is_err());
    let client = Client::new(quick(Tls::Insecure)).unwrap();
    assert!(client.inner().get(&url).send().await.is_ok());
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let address = serve(None).await;
    let client = Client::new(quick(Tls::System)).unwrap();
    let error = client
        .get(&format!("https://{address}/hello"))
        .send()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Tls { .. } | Error::Unreachable { .. } | Error::Timeout { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_is_refused_and_never_leads_to_another_host() {
    let error = plain("/elsewhere", quick(Tls::System)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Redirect { .. }), "{text}");
    assert!(
        text.contains("http://elsewhere.test/x") && !text.contains("secret"),
        "{text}"
    );
    let follows = || Options {
        redirects: Redirects::SameHost(3),
        ..quick(Tls::System)
    };
    let error = plain("/elsewhere", follows()).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    let error = plain("/here", quick(Tls::System)).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    assert_eq!(plain("/here", follows()).await.unwrap(), "hello");
    let error = plain("/round", follows()).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
}

#[tokio::test]
async fn a_body_over_its_bound_is_not_read() {
    for path in ["/announced", "/endless", "/bomb"] {
        let error = plain(path, quick(Tls::System)).await.unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { limit: 65_536, .. }),
            "{path}: {error}"
        );
    }
    let address = serve(None).await;
    let client = Client::new(quick(Tls::System)).unwrap();
    let answer = client
        .get(&format!("http://{address}/hello"))
        .send()
        .await
        .unwrap();
    let error = answer.bytes_up_to(4).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 4, .. }), "{error}");
}

#[tokio::test]
async fn slow_silent_and_broken_answers_end_in_time() {
    for path in ["/slow", "/silent"] {
        let begun = Instant::now();
        let error = plain(path, quick(Tls::System)).await.unwrap_err();
        assert!(
            matches!(error, Error::Timeout { .. }) && error.is_transient(),
            "{path}: {error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{path}");
    }
    let error = plain("/cut", quick(Tls::System)).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    let client = Client::new(quick(Tls::System)).unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let error = client
        .get(&format!("http://{address}/"))
        .send()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_transient(),
        "{error}"
    );
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn an_answer_of_any_status_can_be_looked_at() {
    let address = serve(None).await;
    let client = Client::new(quick(Tls::System)).unwrap();
    let answer = client
        .get(&format!("http://{address}/busy"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(answer.excerpt().await, "not right now");
    let answer = client
        .get(&format!("http://{address}/json"))
        .send()
        .await
        .unwrap();
    let value: std::collections::BTreeMap<String, u8> = answer.json().await.unwrap();
    assert_eq!(value["n"], 7);
    let answer = client
        .get(&format!("http://{address}/hello"))
        .send()
        .await
        .unwrap();
    let error = answer.json::<u8>().await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn secrets_go_out_but_are_never_shown() {
    let address = serve(None).await;
    let client = Client::new(quick(Tls::System)).unwrap();
    let secret = SecretString::from("s3cret");
    let request = client
        .get(&format!("http://{address}/head"))
        .bearer(&secret)
        .secret_header("x-key", &secret);
    let shown = format!("{request:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let head = request.send().await.unwrap().text().await.unwrap();
    assert!(
        head.contains("authorization: Bearer s3cret") && head.contains("x-key: s3cret"),
        "{head}"
    );
    assert!(head.contains("user-agent: homelog/"), "{head}");
    for bad in [
        "ftp://host/",
        "host:1",
        "http://",
        "https://user:s3cret@",
        "",
    ] {
        let error = client.get(bad).send().await.unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "{bad}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn the_end_of_the_certificate_is_told_of_answers_and_of_refusals() {
    let address = serve(Some(Arc::clone(&shared().config))).await;
    let url = format!("https://localhost:{}/hello", address.port());
    // what the tool that made it puts where nothing is said: 4096-01-01
    let end = Some(67_090_118_400);
    let fresh = |tls| Options {
        fresh_connections: true,
        ..quick(tls)
    };
    let client = Client::new(fresh(Tls::Insecure)).unwrap();
    for _ in 0..2 {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.not_after(), end);
    }
    let client = Client::new(quick(Tls::Insecure)).unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.not_after(), None, "nobody asked for it");
    let client = Client::new(fresh(Tls::System)).unwrap();
    let error = client.get(&url).send().await.unwrap_err();
    assert!(
        matches!(error, Error::Certificate { not_after, .. } if not_after == end),
        "{error:?}"
    );
}

/// Whoever renewed a certificate must not be told the old one's end because a session was taken up again.
#[tokio::test]
async fn fresh_connections_see_a_certificate_that_was_renewed() {
    let key = KeyPair::generate().unwrap();
    let of_year = |year| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let der = params.self_signed(&key).unwrap().der().clone();
        let signing = aws_lc_rs::sign::any_supported_type(&key.serialize_der().try_into().unwrap());
        Arc::new(CertifiedKey::new(vec![der], signing.unwrap()))
    };
    let shown = Arc::new(Renewed(std::sync::Mutex::new(of_year(2040))));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
    let address = serve(Some(Arc::new(config))).await;
    let client = Client::new(Options {
        fresh_connections: true,
        ..quick(Tls::Insecure)
    })
    .unwrap();
    let url = format!("https://localhost:{}/hello", address.port());
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.not_after(), Some(2_208_988_800));
    answer.text().await.unwrap();
    *shown.0.lock().unwrap() = of_year(2041);
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.not_after(), Some(2_240_611_200));
}

/// A server whose certificate is replaced while it runs.
#[derive(Debug)]
struct Renewed(std::sync::Mutex<Arc<CertifiedKey>>);
impl ResolvesServerCert for Renewed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }
}

#[tokio::test]
async fn a_redirect_can_be_looked_at() {
    let address = serve(None).await;
    let client = Client::new(Options {
        redirects: Redirects::Shown,
        ..quick(Tls::System)
    })
    .unwrap();
    let url = format!("http://{address}/elsewhere");
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 302);
}
