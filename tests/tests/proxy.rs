//! Homelog behind the nginx that `infra/nginx` sets up, with one of its two servers gone: streams and `WebSockets` pass as
//! they come, also below another site.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use homelog_tests::{
    lab::{Lab, PASSWORD},
    sse::Stream,
    workspace,
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

const CONFIG: &str = "[api]\ntrusted_proxies = [\"127.0.0.1/32\"]\n\n[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1h\"\n";
/// What nginx may take; it would hold a stream back for as long as it is silent.
const AT_ONCE: Duration = Duration::from_secs(5);

/// nginx with the files of `infra/nginx`, without TLS and with ports of its own.
struct Nginx {
    port: u16,
    _directory: TempDir,
    _process: Child,
}

impl Nginx {
    async fn start(homelog: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let (port, other, nobody) = (
            test_servers::free_port()?,
            test_servers::free_port()?,
            test_servers::free_port()?,
        );
        let read = |name: &str| -> Result<String> {
            let text = std::fs::read_to_string(workspace().join("infra/nginx").join(name))?;
            Ok(text.replace("/etc/nginx", &place.display().to_string()))
        };
        let subpath = read("homelog-subpath.conf")?;
        let site = read("homelog.conf")?
            .replace("127.0.0.1:3001", homelog)
            .replace("127.0.0.1:3011", &format!("127.0.0.1:{nobody}"))
            .replace("listen 80;", &format!("listen 127.0.0.1:{other};"))
            .replace(
                "listen 443 ssl http2;",
                &format!("listen 127.0.0.1:{port};"),
            )
            .replacen(
                "    location / {",
                &format!("{subpath}\n    location / {{"),
                1,
            );
        let site: String = site
            .lines()
            .filter(|line| !line.contains("[::]") && !line.trim_start().starts_with("ssl_"))
            .flat_map(|line| [line, "\n"])
            .collect();
        std::fs::write(place.join("homelog.conf"), site)?;
        std::fs::write(
            place.join("homelog-proxy.conf"),
            read("homelog-proxy.conf")?,
        )?;
        std::fs::write(place.join("nginx.conf"), frame(place))?;
        let process = Command::new("nginx")
            .arg("-p")
            .arg(place)
            .arg("-c")
            .arg(place.join("nginx.conf"))
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("nginx is not installed: scripts/install-missing test")?;
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(Self {
            port,
            _directory: directory,
            _process: process,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// One process, which goes with its handle.
fn frame(place: &Path) -> String {
    let place = place.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .flat_map(|kind| [format!("    {kind}_temp_path {place}/{kind};\n")])
        .collect();
    format!(
        "daemon off;\nmaster_process off;\nuser root;\npid {place}/pid;\nevents {{ }}\nhttp {{\n    access_log off;\n{paths}    include {place}/homelog.conf;\n}}\n"
    )
}

async fn push(lab: &Lab, seq: u64) -> Result<()> {
    let event = json!({"source": "pushed", "epoch": "e1", "seq": seq,
        "entity": {"type": "thing", "id": "a"}, "fields": {"value_count": seq}});
    let answer = lab.post("/api/v1/events").json(&event).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    Ok(())
}

#[tokio::test]
async fn streams_pass_as_they_come_also_below_another_site() -> Result<()> {
    let lab = Lab::start(CONFIG).await?;
    let nginx = Nginx::start(lab.url("").trim_start_matches("http://")).await?;
    let http = Client::builder().build()?;
    for prefix in ["", "/homelog"] {
        // more calls than servers: the one that is gone is passed over
        for _ in 0..4 {
            let answer = http
                .get(nginx.url(&format!("{prefix}/api/v1/catalog")))
                .bearer_auth(lab.token())
                .send()
                .await?;
            ensure!(answer.status() == 200, "{prefix}: {}", answer.status());
        }
        let answer = http
            .get(nginx.url(&format!("{prefix}/api/v1/live?source=pushed")))
            .bearer_auth(lab.token())
            .send()
            .await?;
        let mut stream = Stream::new(answer)?;
        for nth in 0..3 {
            let seq = if prefix.is_empty() { 1 } else { 4 } + nth;
            push(&lab, seq).await?;
            let told = stream.next(AT_ONCE).await?;
            let told: Value = serde_json::from_str(&told.data)?;
            ensure!(told.get("seq") == Some(&json!(seq)), "{prefix}: {told}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn websockets_pass_also_below_another_site() -> Result<()> {
    let lab = Lab::start(CONFIG).await?;
    let nginx = Nginx::start(lab.url("").trim_start_matches("http://")).await?;
    for (prefix, seq) in [("", 1), ("/homelog", 2)] {
        let url = nginx
            .url(&format!("{prefix}/realtime"))
            .replace("http", "ws");
        let mut request = url.into_client_request()?;
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {}", lab.token()).parse()?);
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
        let wanted = json!({"op": "subscribe", "id": "a", "filter": {"source": "pushed"}});
        socket.send(Message::text(wanted.to_string())).await?;
        // a subscription is there when it is answered, and it begins with what is there then
        tokio::time::sleep(Duration::from_millis(300)).await;
        push(&lab, seq).await?;
        let told = tokio::time::timeout(AT_ONCE, async {
            while let Some(message) = socket.next().await {
                if let Message::Text(text) = message? {
                    let value: Value = serde_json::from_str(&text)?;
                    if value.get("event") == Some(&json!("thing-update")) {
                        return Ok(value);
                    }
                }
            }
            anyhow::bail!("the WebSocket was closed")
        })
        .await
        .with_context(|| format!("{prefix}: no event in time"))??;
        ensure!(told.get("position").is_some(), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn who_calls_is_known_and_a_cookie_belongs_to_where_it_was_given() -> Result<()> {
    let lab = Lab::start(CONFIG).await?;
    let nginx = Nginx::start(lab.url("").trim_start_matches("http://")).await?;
    for (prefix, path) in [("", "/auth"), ("/homelog", "/homelog/auth")] {
        let answer = Client::builder()
            .build()?
            .post(nginx.url(&format!("{prefix}/auth/login")))
            // from the internet, without TLS: would be refused if it were believed
            .header("x-forwarded-for", "203.0.113.9")
            .json(&json!({"username": "admin", "password": PASSWORD}))
            .send()
            .await?;
        ensure!(answer.status() == 200, "{prefix}: {}", answer.status());
        let cookie = answer
            .headers()
            .get("set-cookie")
            .context("no cookie")?
            .to_str()?;
        ensure!(cookie.contains(&format!("Path={path};")), "{cookie}");
    }
    Ok(())
}
