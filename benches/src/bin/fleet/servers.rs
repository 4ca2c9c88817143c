use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use event_log::{EventLog, Urgency, kafka};
use homelog_benches::{
    Homelab,
    process::{peak, processor},
};
use schemas::Timestamp;
use serde_json::{Value, json};
use supervision::Supervisor;
use tempfile::TempDir;
use test_servers::{Guarded, Influxdb, Kafka, KafkaOptions};

use crate::measured::Measured;

/// Kafka and InfluxDB, and where the files of a run are.
pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    pub(crate) influxdb: Influxdb,
    pub(crate) directory: TempDir,
}

/// What the names of topics begin with.
pub(crate) const TOPICS: &str = "peers";
const ENTITIES: u64 = 1000;
const INTERVAL_MILLIS: i64 = 1000;
/// Events of one append.
const POLLS: u64 = 5;
const LOOK: Duration = Duration::from_millis(50);

impl Servers {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            kafka: Kafka::start(&KafkaOptions::default())?,
            influxdb: Influxdb::start()?,
            directory: tempfile::Builder::new().prefix("hl-peers-").tempdir()?,
        })
    }

    /// Appends readings of a homelab to the topic.
    pub(crate) async fn fill(&self, events: u64) -> Result<Duration> {
        let supervisor = Supervisor::new();
        let options = kafka::Options {
            brokers: self.kafka.brokers(),
            prefix: TOPICS.to_owned(),
            partitions: 1,
            follow: false,
            ..kafka::Options::default()
        };
        let log = kafka::Kafka::open(options, &supervisor).await?;
        let polls = events.div_ceil(ENTITIES);
        let mut homelab = Homelab::new(usize::try_from(ENTITIES)?, 1)?;
        let mut time = Timestamp::now().plus_millis(-INTERVAL_MILLIS * i64::try_from(polls)?);
        let start = Instant::now();
        let mut left = events;
        while left > 0 {
            let mut drafts = Vec::new();
            for _ in 0..POLLS {
                drafts.extend(homelab.poll(time));
                time = time.plus_millis(INTERVAL_MILLIS);
            }
            drafts.truncate(usize::try_from(left)?);
            left -= drafts.len() as u64;
            log.append(drafts, Urgency::Soon).await?;
        }
        let took = start.elapsed();
        log.close().await?;
        supervisor.drain(Duration::from_secs(5)).await;
        Ok(took)
    }

    /// Runs a program until the bucket has all events.
    pub(crate) async fn run(
        &self,
        command: &[String],
        bucket: &str,
        events: u64,
        patience: Duration,
    ) -> Result<Measured> {
        let server = self.influxdb.process().context("InfluxDB")?.pid()?;
        let server_before = processor(server)?;
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let log = self.directory.path().join(format!("{bucket}.log"));
        let start = Instant::now();
        let mut process = Guarded::start(&words, &[], Path::new(&log))?;
        loop {
            tokio::time::sleep(LOOK).await;
            // counting costs the server something, the same for everybody: not while most is missing
            if start.elapsed().as_millis() % 1000 < LOOK.as_millis() * 2 {
                let found = self.points(bucket).await.unwrap_or(0);
                ensure!(found <= events, "{found} points of {events} events");
                if found == events {
                    break;
                }
            }
            let ended = process.ended()?;
            ensure!(
                ended.is_none() && start.elapsed() < patience,
                "{ended:?} after {:?}: {}",
                start.elapsed(),
                process.last_words()
            );
        }
        let measured = Measured {
            events,
            took: start.elapsed(),
            processor: processor(process.pid())?,
            memory: peak(process.pid())?,
            server: processor(server)? - server_before,
        };
        process.stop(Duration::from_secs(10))?;
        Ok(measured)
    }

    fn http() -> Result<reqwest::Client> {
        Ok(reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()?)
    }

    /// How many points of containers a bucket has.
    pub(crate) async fn points(&self, bucket: &str) -> Result<u64> {
        let answer: Value = Self::http()?
            .get(format!("{}/query", self.influxdb.url()))
            .query(&[
                ("db", bucket),
                ("q", "SELECT count(cpu_ratio) FROM container"),
            ])
            .header("authorization", format!("Token {}", Influxdb::TOKEN))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(answer
            .pointer("/results/0/series/0/values/0/1")
            .and_then(Value::as_u64)
            .unwrap_or(0))
    }

    /// Makes an empty bucket, for who does not make it.
    pub(crate) async fn make_bucket(&self, bucket: &str) -> Result<()> {
        let http = Self::http()?;
        let token = format!("Token {}", Influxdb::TOKEN);
        let orgs: Value = http
            .get(format!("{}/api/v2/orgs", self.influxdb.url()))
            .header("authorization", &token)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let org = orgs
            .pointer("/orgs/0/id")
            .and_then(Value::as_str)
            .context("no organisation")?;
        http.post(format!("{}/api/v2/buckets", self.influxdb.url()))
            .header("authorization", &token)
            .json(&json!({"orgID": org, "name": bucket}))
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}
