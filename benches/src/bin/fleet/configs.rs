use std::path::Path;

use anyhow::Result;
use test_servers::Influxdb;

use crate::servers::{Servers, TOPICS};

/// What a worker reads, writes and shows.
pub(crate) struct Worker<'a> {
    pub(crate) topics: &'a str,
    pub(crate) partitions: usize,
    pub(crate) group: &'a str,
    pub(crate) bucket: &'a str,
    /// Port of its metrics.
    pub(crate) port: u16,
}

/// The command of `homelog ingest` into a bucket.
pub(crate) fn homelog(
    servers: &Servers,
    binary: &Path,
    worker: &Worker<'_>,
) -> Result<Vec<String>> {
    let Worker {
        topics,
        partitions,
        group,
        bucket,
        port,
    } = worker;
    let file = servers
        .directory
        .path()
        .join(format!("{bucket}-{port}.toml"));
    std::fs::write(
        &file,
        format!(
            "[log]\nkind = \"kafka\"\nbrokers = \"{}\"\ntopics = \"{topics}\"\npartitions = {partitions}\n\
             [store]\nkind = \"influxdb\"\nurl = \"{}\"\norg = \"{}\"\nbucket = \"{bucket}\"\ntoken = \"{}\"\n\
             [ingest]\ngroup = \"{group}\"\nlisten = \"127.0.0.1:{port}\"\n",
            servers.kafka.brokers(),
            servers.influxdb.url(),
            Influxdb::ORG,
            Influxdb::TOKEN,
        ),
    )?;
    Ok(vec![
        binary.display().to_string(),
        "ingest".to_owned(),
        "--config".to_owned(),
        file.display().to_string(),
    ])
}

/// The command of Telegraf into a bucket.
pub(crate) fn telegraf(
    servers: &Servers,
    binary: &Path,
    bucket: &str,
    round: u32,
) -> Result<Vec<String>> {
    let file = servers.directory.path().join(format!("{bucket}.conf"));
    std::fs::write(
        &file,
        format!(
            r#"
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  omit_hostname = true
[[inputs.kafka_consumer]]
  brokers = ["{}"]
  topics = ["{TOPICS}.events"]
  consumer_group = "telegraf-{round}"
  offset = "oldest"
  # with Kafka 4 it reads nothing without
  kafka_version = "2.6.0"
  max_undelivered_messages = 50000
  data_format = "json_v2"
  [[inputs.kafka_consumer.json_v2]]
    measurement_name = "container"
    timestamp_path = "time"
    timestamp_format = "unix_ms"
    [[inputs.kafka_consumer.json_v2.tag]]
      path = "source"
    [[inputs.kafka_consumer.json_v2.tag]]
      path = "entity.id"
      rename = "id"
    [[inputs.kafka_consumer.json_v2.object]]
      path = "fields"
[[outputs.influxdb_v2]]
  urls = ["{}"]
  token = "{}"
  organization = "{}"
  bucket = "{bucket}"
  content_encoding = "gzip"
"#,
            servers.kafka.brokers(),
            servers.influxdb.url(),
            Influxdb::TOKEN,
            Influxdb::ORG,
        ),
    )?;
    Ok(vec![
        binary.display().to_string(),
        "--config".to_owned(),
        file.display().to_string(),
    ])
}
