//! An engine that takes only whom its authority knows, and one behind a proxy that cuts.

use std::{path::PathBuf, process::Stdio};

use super::{
    super::{
        between::Between,
        secured::{files, make_certificates, options},
    },
    *,
};

/// An engine of its own, that also listens on a port with TLS.
struct Secured {
    dir: PathBuf,
    certificates: tempfile::TempDir,
    port: u16,
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/docker-engine")
}

impl Drop for Secured {
    fn drop(&mut self) {
        drop(Command::new(script()).arg("stop").arg(&self.dir).status());
    }
}

impl Secured {
    fn start() -> Option<Self> {
        testing::variable("DOCKER_HOST")?;
        let has_dockerd = Command::new("dockerd")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !rustix::process::geteuid().is_root() || has_dockerd.is_err() {
            println!("SKIPPED: only root can start an engine, and dockerd must be installed");
            return None;
        }
        let certificates = tempfile::tempdir().unwrap();
        make_certificates(certificates.path());
        let file = |name: &str| certificates.path().join(name).display().to_string();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dir = tempfile::Builder::new()
            .prefix("hl-tls-")
            .tempdir()
            .unwrap()
            .keep();
        let started = Command::new(script())
            .arg("start")
            .arg(&dir)
            // not the one that runs already
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env(
                "DOCKERD_OPTIONS",
                format!(
                    "--host tcp://127.0.0.1:{port} --tlsverify --tlscacert {} --tlscert {} --tlskey {}",
                    file("ca.pem"),
                    file("server-cert.pem"),
                    file("server-key.pem")
                ),
            )
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(started.success(), "the engine does not start");
        Some(Self {
            dir,
            certificates,
            port,
        })
    }

    fn open(&self, scheme: &str, tls: Option<serde_json::Value>) -> Docker {
        let url = format!("{scheme}://127.0.0.1:{}", self.port);
        let params = match tls {
            Some(tls) => options(&url, tls),
            None => Params::at(url),
        };
        Docker::open(params, &testing::context("here.docker")).unwrap()
    }
}

#[tokio::test]
async fn a_real_engine_with_tlsverify_is_read_and_refuses_strangers() {
    let Some(engine) = Secured::start() else {
        return;
    };
    let ours = files(engine.certificates.path());
    let mut docker = engine.open("https", Some(ours.clone()));
    let told = poll(&mut docker).await;
    let running = told
        .iter()
        .find_map(|event| event.fields.get("containers_running_count"));
    assert_eq!(running, Some(&FieldValue::I64(0)), "{told:?}");
    listen(&mut docker).await;
    assert!(docker.stream.is_some(), "its events are heard");

    let failed = async |mut docker: Docker| docker.poll(&mut testing::batch()).await.unwrap_err();
    let nobody = failed(engine.open("https", Some(json!({"ca": ours["ca"]})))).await;
    assert_eq!(nobody.class, FailureClass::BadCredentials, "{nobody}");
    let unknown = tempfile::tempdir().unwrap();
    make_certificates(unknown.path());
    let mut stranger = files(unknown.path());
    stranger["ca"] = ours["ca"].clone();
    let stranger = failed(engine.open("https", Some(stranger))).await;
    assert_eq!(stranger.class, FailureClass::BadCredentials, "{stranger}");
    let other = failed(engine.open("https", Some(files(unknown.path())))).await;
    assert_eq!(other.class, FailureClass::Tls, "{other}");
    let plain = failed(engine.open("tcp", None)).await;
    assert_eq!(plain.class, FailureClass::Tls, "{plain}");
}

#[tokio::test]
async fn what_a_real_engine_tells_while_its_stream_is_cut_is_not_lost() {
    let Some(mut cli) = Cli::given() else { return };
    let proxy = Between::start(&cli.url, Duration::from_millis(1500), None).await;
    let name = unique("cut");
    cli.run(&name, IMAGES[0], &[], "sleep 1000");
    let mut docker = open_now(&format!("tcp://{}", proxy.address()));
    poll(&mut docker).await;
    for (command, action) in [("pause", "pause"), ("unpause", "unpause"), ("kill", "die")] {
        let cuts = proxy.cuts();
        while docker.stream.is_some() || proxy.cuts() == cuts {
            listen(&mut docker).await;
        }
        cli.docker(&[command, &name]);
        let until = Instant::now() + Duration::from_secs(10);
        let mut told = Vec::new();
        while Instant::now() < until && told.is_empty() {
            told = listen(&mut docker).await.0;
            told.retain(|event| event.entity.id.as_str() == name);
        }
        let actions: Vec<_> = told.iter().map(|event| text(event, "action")).collect();
        assert_eq!(actions, [action]);
    }
    assert!(proxy.cuts() >= 3);
}
