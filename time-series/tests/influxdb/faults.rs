//! A server that is killed, stopped, wrong or not there.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use supervision::Supervisor;
use test_servers::Influxdb as Server;
use time_series::{
    Influxdb, PartitionedStore, RangeQuery, Selection, Step, TimeSeries, WriteError,
    influxdb::{OpenError, Options},
};

use super::{
    place::{T, all, client, new_bucket, options, reading, server},
    scripted::{Answer, Scripted},
};

fn everything() -> RangeQuery {
    RangeQuery {
        selection: Selection::default(),
        fields: Vec::new(),
        from: schemas::Timestamp::from_millis(T),
        to: schemas::Timestamp::from_millis(T + 100_000_000),
        step: Step::Raw,
        aggs: Vec::new(),
        max_series: 10_000,
        max_values: 10_000_000,
    }
}

/// Also those that were acknowledged just before; the writers only notice that it took longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_batch_survives_a_kill() {
    let mut server = Server::start().unwrap();
    let supervisor = Supervisor::new();
    let mut changed = options(&server.url(), "homelog");
    changed.patience = Duration::from_secs(20);
    let store = Influxdb::open(changed, &supervisor).await.unwrap();
    let mut acknowledged = 0_i64;
    let mut kills = 0;
    let begin = Instant::now();
    while kills < 3 {
        let writes = (0..8).map(|i| {
            let batch = acknowledged / 50 + i;
            let points = (0..50)
                .map(|k| reading(&format!("d{k}"), batch * 50 + k))
                .collect();
            store.write_partition(points, 0, (batch + 1).unsigned_abs())
        });
        let killing = async {
            if begin.elapsed() > Duration::from_millis(500) * (kills + 1) {
                kills += 1;
                server.kill().unwrap();
                tokio::time::sleep(Duration::from_millis(150)).await;
                tokio::task::block_in_place(|| server.restart().unwrap());
            }
        };
        let (written, ()) = tokio::join!(all(writes.collect()), killing);
        for written in written {
            assert!(written.unwrap().refused.is_empty());
        }
        acknowledged += 8 * 50;
    }
    store.close().await.unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    let store = Influxdb::open(options(&server.url(), "homelog"), &supervisor)
        .await
        .unwrap();
    let data = store.range(&everything()).await.unwrap();
    let found: usize = data.series.iter().map(|series| series.values.len()).sum();
    assert_eq!(i64::try_from(found).unwrap(), acknowledged);
    assert_eq!(
        store.partition_position(0).await.unwrap(),
        Some((acknowledged / 50).unsigned_abs())
    );
    store.close().await.unwrap();
}

/// No more than the bound is taken from writers, no more than a request a lane is under way, and all goes on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stalls_holds_writers_up_and_no_more() {
    let server = Server::start().unwrap();
    let supervisor = Supervisor::new();
    let mut registry = prometheus_client::registry::Registry::default();
    let mut changed = options(&server.url(), "homelog");
    changed.pending_points = 1000;
    changed.lanes = 2;
    changed.batch_points = 100;
    changed.metrics = time_series::influxdb::Metrics::register(&mut registry);
    let store = Influxdb::open(changed, &supervisor).await.unwrap();
    server.process().unwrap().signal("STOP").unwrap();
    let writes = (0..50_usize).map(|partition| {
        let points = (0..200)
            .map(|i| reading(&format!("d{partition}"), i))
            .collect();
        store.write_partition(points, partition, 1)
    });
    let mut writing = Box::pin(all(writes.collect()));
    let stalled = tokio::time::timeout(Duration::from_millis(1500), &mut writing).await;
    assert!(stalled.is_err());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("homelog_store_write_requests_total 2\n"),
        "{text}"
    );
    server.process().unwrap().signal("CONT").unwrap();
    for written in writing.await {
        written.unwrap();
    }
    let data = store.range(&everything()).await.unwrap();
    assert_eq!(
        data.series.iter().map(|s| s.values.len()).sum::<usize>(),
        50 * 200
    );
    store.close().await.unwrap();
}

async fn refused(options: Options) -> OpenError {
    Influxdb::open(options, &Supervisor::new())
        .await
        .unwrap_err()
}

/// One line each, with the name and the fix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_configures_it_wrongly_is_told() {
    let url = server().url();
    let bucket = new_bucket();
    let told = async |change: &dyn Fn(&mut Options)| {
        let mut options = options(&url, &bucket);
        change(&mut options);
        let error = refused(options).await;
        let text = error.to_string();
        assert!(
            !text.contains('\n') && !text.contains(Server::TOKEN),
            "{text}"
        );
        (text, error.is_transient())
    };
    for (change, named, transient) in [
        (
            (&|o: &mut Options| o.create = false) as &dyn Fn(&mut Options),
            format!("influx bucket create --org homelab --name {bucket}"),
            false,
        ),
        (
            &|o| o.org = "nobody".to_owned(),
            "there is no organisation `nobody`".to_owned(),
            false,
        ),
        (
            &|o| o.token = SecretString::from("wrong"),
            "it does not know the token (unauthorized access): give `[store] token`".to_owned(),
            false,
        ),
        (
            &|o| o.token = SecretString::from("wr\u{1}ng"),
            "the token has characters".to_owned(),
            false,
        ),
        (
            &|o| o.url = format!("{}/influx", server().url()),
            "correct `[store] url`".to_owned(),
            false,
        ),
        (
            &|o| o.url = "http://127.0.0.1:1".to_owned(),
            "it cannot be reached".to_owned(),
            true,
        ),
        (
            &|o| o.url = "influxdb:8086".to_owned(),
            "write it like `http://influxdb:8086`".to_owned(),
            false,
        ),
        (
            &|o| o.url = "http://me:secret@127.0.0.1:1".to_owned(),
            "user name or password".to_owned(),
            false,
        ),
    ] {
        let (text, is_transient) = told(change).await;
        assert!(text.contains(&named), "{text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(is_transient, transient, "{text}");
    }
}

/// What the server says of itself.
#[tokio::test]
async fn an_old_version_and_strange_answers_are_told() {
    let supervisor = Supervisor::new();
    for (path, status, body, named) in [
        (
            "/health",
            200,
            r#"{"name":"influxdb","version":"1.8.10"}"#,
            "version 1.8.10; use InfluxDB 2.x",
        ),
        (
            "/health",
            200,
            r#"{"name":"grafana"}"#,
            "calls itself `grafana`",
        ),
        ("/health", 200, "<html>", "none of an InfluxDB"),
        ("/health", 301, "", "no page `/health`"),
        ("/api/v2/buckets", 200, "7", "cannot be read"),
        (
            "/api/v2/",
            200,
            r#"{"buckets":[],"orgs":[{"name":5}]}"#,
            "cannot be made",
        ),
        (
            "/api/v2/",
            200,
            r#"{"buckets":[],"orgs":[]}"#,
            "the token may not see the organisation",
        ),
    ] {
        let server = Scripted::start(&supervisor, move |request| {
            let body = body.to_owned();
            request
                .path
                .starts_with(path)
                .then(|| Answer(status, String::new(), body, Duration::ZERO))
        })
        .await;
        let error = refused(options(&server.url, "raw")).await.to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// The token goes to the server that is configured, and nowhere else.
#[tokio::test]
async fn whoever_makes_buckets_follows_no_redirect() {
    let supervisor = Supervisor::new();
    let elsewhere = Scripted::start(&supervisor, |_| None).await;
    let target = elsewhere.url.clone();
    let server = Scripted::start(&supervisor, move |request| {
        let answer = |status, headers: String, body: &str| {
            Some(Answer(status, headers, body.to_owned(), Duration::ZERO))
        };
        if request.head.starts_with("post /api/v2/buckets") {
            let to = format!("location: {target}/api/v2/buckets\r\n");
            return answer(307, to, "");
        }
        match request.path.split('?').next() {
            Some("/api/v2/buckets") => answer(200, String::new(), r#"{"buckets":[]}"#),
            Some("/api/v2/orgs") => {
                let orgs = format!(r#"{{"orgs":[{{"id":"1","name":"{}"}}]}}"#, Server::ORG);
                answer(200, String::new(), &orgs)
            }
            _ => None,
        }
    })
    .await;
    let error = refused(options(&server.url, "raw")).await.to_string();
    assert!(error.contains("cannot be made"), "{error}");
    assert!(elsewhere.requests().is_empty(), "it was followed");
}

/// The library that would make them has a client of its own, which takes proxies from the environment.
#[test]
fn whoever_makes_buckets_goes_past_proxies_of_the_environment() {
    const NAME: &str = "faults::whoever_makes_buckets_goes_past_proxies_of_the_environment";
    const URL: &str = "HOMELOG_TEST_INFLUXDB";
    // started once more by itself, with proxies in its environment
    if let Some((_, url)) = std::env::vars().find(|(name, _)| name == URL) {
        let mut options = options(&url, &new_bucket());
        options.client = reqwest::Client::builder().no_proxy().build().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let opened = runtime.block_on(Influxdb::open(options, &Supervisor::new()));
        opened.unwrap();
        return;
    }
    let args: Vec<String> = std::env::args().collect();
    let made = std::process::Command::new(&args[0])
        .args(["--exact", NAME, "--nocapture"])
        .env_clear()
        .env("http_proxy", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env(URL, server().url())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&made.stdout);
    assert!(made.status.success() && told.contains("1 passed"), "{told}");
}

async fn api(method: reqwest::Method, path: &str, body: serde_json::Value) -> serde_json::Value {
    let response = client()
        .request(method, format!("{}{path}", server().url()))
        .header("Authorization", format!("Token {}", Server::TOKEN))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(response.status().is_success());
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Both are a person's business, who may mend them without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_goes_and_a_right_that_is_missing_are_told_to_writers() {
    let bucket = new_bucket();
    let supervisor = Supervisor::new();
    let store = Influxdb::open(options(&server().url(), &bucket), &supervisor)
        .await
        .unwrap();
    store
        .write_partition(vec![reading("d0", 1)], 0, 1)
        .await
        .unwrap();
    let found = api(
        reqwest::Method::GET,
        &format!("/api/v2/buckets?org=homelab&name={bucket}"),
        serde_json::Value::Null,
    )
    .await;
    let (id, org) = (&found["buckets"][0]["id"], &found["buckets"][0]["orgID"]);
    let read = serde_json::json!({"action": "read", "resource": {"type": "buckets", "orgID": org}});
    let orgs = serde_json::json!({"action": "read", "resource": {"type": "orgs", "id": org}});
    let made = api(
        reqwest::Method::POST,
        "/api/v2/authorizations",
        serde_json::json!({"orgID": org, "permissions": [read, orgs]}),
    )
    .await;
    let mut only_reads = options(&server().url(), &bucket);
    only_reads.token = SecretString::from(made["token"].as_str().unwrap());
    let reader = Influxdb::open(only_reads, &supervisor).await.unwrap();
    assert_eq!(reader.partition_position(0).await.unwrap(), Some(1));
    let told = |error: WriteError, named: &str| {
        assert!(error.is_transient() && error.needs_a_person(), "{error}");
        let text = error.to_string();
        assert!(text.contains(named) && text.contains(&bucket), "{text}");
    };
    let write = reader.write_partition(vec![reading("d0", 2)], 0, 2);
    told(
        write.await.unwrap_err(),
        "the token has no right on the bucket",
    );
    let path = format!("/api/v2/buckets/{}", id.as_str().unwrap());
    api(reqwest::Method::DELETE, &path, serde_json::Value::Null).await;
    let write = store.write_partition(vec![reading("d0", 2)], 0, 2);
    told(write.await.unwrap_err(), "influx bucket create");
    // and nothing of it is claimed
    assert_eq!(store.partition_position(0).await.unwrap(), Some(1));
    let error = store.range(&everything()).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("there is no bucket `{bucket}`")),
        "{error}"
    );
    store.close().await.unwrap();
}
