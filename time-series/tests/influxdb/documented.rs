//! What the guide tells users to ask is answered.

use schemas::{FieldName, FieldValue, Timestamp};
use test_servers::Influxdb as Server;
use time_series::{PartitionedStore, TimeSeries};

use super::place::{client, new_bucket, open, reading, server};

const GUIDE: &str = include_str!("../../../docs/deployment/influxdb.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_guide_has_an_answer() {
    let bucket = new_bucket();
    let store = open(&bucket).await;
    let now = Timestamp::now();
    let points = (0..10)
        .map(|minute| {
            let mut point = reading("web", minute);
            point.key = "server.docker/container/web".parse().unwrap();
            point.time = now.plus_millis(-60_000 * minute);
            let labels = [("name", "web"), ("image", "nginx:1")];
            point.labels = std::sync::Arc::new(
                labels
                    .map(|(name, value)| (FieldName::from(name), value.into()))
                    .into(),
            );
            point.fields.set("rx_bytes_total", 1000 - minute);
            point.fields.set("memory_used_bytes", 5_i64);
            let cpu = (FieldName::from("cpu_ratio"), FieldValue::F64(0.5));
            point.fields = point.fields.into_iter().chain([cpu]).collect();
            point
        })
        .collect();
    store.write_partition(points, 0, 1).await.unwrap();
    let queries: Vec<&str> = GUIDE
        .split("```influxql\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert!(queries.len() >= 5);
    for query in queries {
        let response = client()
            .get(format!("{}/query", server().url()))
            .query(&[("db", bucket.as_str()), ("q", query)])
            .header("Authorization", format!("Token {}", Server::TOKEN))
            .send()
            .await
            .unwrap();
        let text = response.text().await.unwrap();
        assert!(text.contains("\"values\":[["), "{query}: {text}");
    }
    store.close().await.unwrap();
}
