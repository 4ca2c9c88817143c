//! The same requests to a real InfluxDB and to Homelog's line-protocol door are answered the same.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::Lab;
use reqwest::{Client, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use test_servers::{Influxdb, unique};

/// Where something answers as InfluxDB, and by which token.
struct Server {
    http: Client,
    url: String,
    token: String,
    bucket: String,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    code: Option<String>,
    body: Value,
}

impl Server {
    /// Posts lines; `query` is what stands beside organisation and bucket.
    async fn write(&self, token: Option<&str>, query: &str, body: &str) -> Result<Answer> {
        let mut request = self
            .http
            .post(format!("{}/api/v2/write?{query}", self.url))
            .body(body.to_owned());
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = request.send().await?;
        let code = text(answer.headers(), "x-platform-error-code");
        ensure!(
            text(answer.headers(), "x-influxdb-version").is_some(),
            "no version"
        );
        let status = answer.status();
        let body = answer.text().await?;
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&body)?
        };
        Ok(Answer { status, code, body })
    }

    fn query(&self, more: &str) -> String {
        format!("org={}&bucket={}{more}", Influxdb::ORG, self.bucket)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

async fn real(server: &Influxdb) -> Result<Server> {
    let http = Client::builder().build()?;
    let token = format!("Token {}", Influxdb::TOKEN);
    let bucket = unique("door");
    let orgs: Value = http
        .get(format!("{}/api/v2/orgs", server.url()))
        .header("authorization", &token)
        .send()
        .await?
        .json()
        .await?;
    http.post(format!("{}/api/v2/buckets", server.url()))
        .header("authorization", &token)
        .json(&json!({"orgID": orgs["orgs"][0]["id"], "name": bucket, "retentionRules": []}))
        .send()
        .await?
        .error_for_status()?;
    Ok(Server {
        http,
        url: server.url(),
        token,
        bucket,
    })
}

const BODIES: &[(&str, &str)] = &[
    ("", "m,a=b v=1,n=2i,u=3u,t=true,s=\"x\" 1795406000000000000"),
    (
        "&precision=s",
        "m,a=b v=1 1795406000\n\n# no line\nm,a=c v=2",
    ),
    ("&precision=ms", "m\\ x,a\\,b=c\\=d v=1 1795406000000\n"),
    ("&precision=us", "m v=1 1795406000000000"),
    ("", ""),
    ("", "# nothing"),
    ("", "m,a=b v=1\nbad line here\nm2 x\nm,a=c v=2"),
    ("", "m v=1 12a"),
    ("", "m v=NaN"),
    ("", "m,a= v=1"),
    ("", "m,a=1,a=2 v=1"),
    ("", "m"),
    ("", ",a=b v=1"),
    (
        "",
        "m v=\"x\" 1795406000000000000\nm w=1 1795406000000000000",
    ),
    ("", "m v=\"x\" 1795406000000000000"),
    ("&precision=h", "m v=1"),
    ("&precision=u", "m v=1"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_answer_the_same() -> Result<()> {
    let influxdb = tokio::task::spawn_blocking(Influxdb::start).await??;
    let real = real(&influxdb).await?;
    let lab =
        Lab::start("[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1h\"\n").await?;
    let ours = Server {
        http: Client::builder().build()?,
        url: lab.url("/influxdb"),
        token: format!("Token {}", lab.token()),
        bucket: real.bucket.clone(),
    };
    for (more, body) in BODIES {
        let query = real.query(more);
        let wanted = real.write(Some(&real.token), &query, body).await?;
        let found = ours.write(Some(&ours.token), &query, body).await?;
        ensure!(
            found == wanted,
            "`{body}`{more}:\nInfluxDB {wanted:?}\nHomelog  {found:?}"
        );
    }
    for query in ["", "org=homelab", "bucket=x"] {
        let wanted = real.write(Some(&real.token), query, "m v=1").await?;
        let found = ours.write(Some(&ours.token), query, "m v=1").await?;
        ensure!(found == wanted, "{query}: {wanted:?} {found:?}");
    }
    // in words of our own, which say more
    for token in [None, Some("Token wrong"), Some("Basic eDp5")] {
        let wanted = real.write(token, &real.query(""), "m v=1").await?;
        let found = ours.write(token, &ours.query(""), "m v=1").await?;
        ensure!(
            (found.status, &found.code, &found.body["code"])
                == (wanted.status, &wanted.code, &wanted.body["code"]),
            "{token:?}: {wanted:?} {found:?}"
        );
        found.body["message"].as_str().context("no message")?;
    }
    for path in ["/ping", "/health"] {
        let wanted = real.http.get(format!("{}{path}", real.url)).send().await?;
        let found = ours.http.get(format!("{}{path}", ours.url)).send().await?;
        ensure!(found.status() == wanted.status(), "{path}");
        if path == "/health" {
            let (wanted, found): (Value, Value) = (wanted.json().await?, found.json().await?);
            for name in ["name", "status", "message", "checks"] {
                ensure!(found[name] == wanted[name], "{name}: {found}");
            }
        }
    }
    Ok(())
}
