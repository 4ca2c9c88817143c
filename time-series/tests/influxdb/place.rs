//! One server for all tests of this process, a bucket for each.

use std::{sync::OnceLock, time::Duration};

use schemas::{
    FieldName, FieldValue, Timestamp,
    name::{AgentName, SourceKind},
};
use secrecy::SecretString;
use supervision::Supervisor;
use test_servers::{Influxdb as Server, unique};
use time_series::{Influxdb, Point, influxdb::Options};

/// A client as the wiring makes one: it follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// The server that no test kills.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start().unwrap())
}

/// Options for a bucket.
pub(crate) fn options(url: &str, bucket: &str) -> Options {
    let token = SecretString::from(Server::TOKEN);
    Options::new(url, Server::ORG, bucket, token, client())
}

/// A bucket that no other test has.
pub(crate) fn new_bucket() -> String {
    unique("homelog")
}

/// Opens a bucket of the shared server.
pub(crate) async fn open(bucket: &str) -> Influxdb {
    Influxdb::open(options(&server().url(), bucket), &Supervisor::new())
        .await
        .unwrap()
}

/// 23 November 2026, 03:00 UTC.
pub(crate) const T: i64 = 1_795_402_800_000;

/// `n` seconds after [`T`] a disk reads `n`.
pub(crate) fn reading(id: &str, n: i64) -> Point {
    Point {
        key: format!("nas1/disk/{id}").parse().unwrap(),
        kind: SourceKind::new("synology").unwrap(),
        agent: Some(AgentName::new("hub").unwrap()),
        labels: std::sync::Arc::default(),
        time: Timestamp::from_millis(T + n * 1000),
        fields: [(FieldName::from("n"), FieldValue::I64(n))]
            .into_iter()
            .collect(),
    }
}

/// Polls all in their order until all are done.
pub(crate) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
