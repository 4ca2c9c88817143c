use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use homelog_benches::process::{peak, processor};
use test_servers::{Guarded, free_port};

/// Homelog with all in one process, watching the sources.
pub(crate) struct Homelog {
    process: Guarded,
    url: String,
}

/// What it has told and cost up to an instant.
pub(crate) struct Reading {
    processor: f64,
    peak: u64,
    polls: f64,
    events: f64,
    /// How many polls began no later than so many seconds after they were due.
    late: Vec<(f64, f64)>,
    pub(crate) up: usize,
}

/// What it did between two readings.
pub(crate) struct Costs {
    seconds: u64,
    processor: f64,
    peak: u64,
    polls: f64,
    events: f64,
    late: Vec<(f64, f64)>,
    up: usize,
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
const START: Duration = Duration::from_mins(1);

impl Homelog {
    pub(crate) fn start(binary: &Path, place: &Path, sources: &[String]) -> Result<Self> {
        let place = place.join("homelog");
        std::fs::create_dir_all(&place)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let config = place.join("homelog.toml");
        std::fs::write(
            &config,
            format!(
                "[api]\nmetrics_from = [\"127.0.0.0/8\"]\n{}",
                sources.join("\n")
            ),
        )?;
        let mut process = Guarded::start(
            &[
                &binary.display().to_string(),
                "up",
                "--config",
                &config.display().to_string(),
                "--data",
                &place.join("data").display().to_string(),
                "--listen",
                &listen,
            ],
            &[],
            &place.join("output.log"),
        )?;
        let port = listen.rsplit(':').next().context("port")?.parse()?;
        process.wait_for_port(port, START)?;
        Ok(Self {
            process,
            url: format!("http://{listen}"),
        })
    }

    pub(crate) fn last_words(&self) -> String {
        self.process.last_words()
    }

    pub(crate) async fn reading(&self) -> Result<Reading> {
        let client = reqwest::Client::builder().timeout(ANSWER).build()?;
        let text = client
            .get(format!("{}/metrics", self.url))
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        let health: serde_json::Value = client
            .get(format!("{}/health", self.url))
            .send()
            .await?
            .json()
            .await?;
        let services = health
            .pointer("/services")
            .and_then(serde_json::Value::as_object)
            .context("no services in /health")?;
        let up = services
            .iter()
            .filter(|(name, state)| {
                name.starts_with('s')
                    && name.contains('-')
                    && state
                        .pointer("/status")
                        .or(Some(state))
                        .and_then(serde_json::Value::as_str)
                        == Some("healthy")
            })
            .count();
        Ok(Reading {
            processor: processor(self.process.pid())?,
            peak: peak(self.process.pid())?,
            polls: sum(&text, "homelog_collector_polls_total"),
            events: sum(&text, "homelog_collector_events_total"),
            late: buckets(&text, "homelog_collector_poll_late_seconds_bucket"),
            up,
        })
    }
}

/// The sum of a counter over all its labels.
fn sum(text: &str, name: &str) -> f64 {
    lines(text, name).map(|(_, value)| value).sum()
}

fn buckets(text: &str, name: &str) -> Vec<(f64, f64)> {
    lines(text, name)
        .filter_map(|(labels, value)| {
            let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, value))
        })
        .collect()
}

fn lines<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter_map(move |line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        (labels.is_empty() || labels.starts_with('{')).then_some(())?;
        Some((labels, value.parse().ok()?))
    })
}

impl Reading {
    pub(crate) fn since(&self, before: &Self, seconds: u64) -> Costs {
        Costs {
            seconds,
            processor: self.processor - before.processor,
            peak: self.peak,
            polls: self.polls - before.polls,
            events: self.events - before.events,
            late: self
                .late
                .iter()
                .zip(&before.late)
                .map(|(after, before)| (after.0, after.1 - before.1))
                .collect(),
            up: self.up,
        }
    }
}

impl Costs {
    /// The smallest bound that this share of the polls kept.
    fn late_within(&self, share: f64) -> f64 {
        let all = self.late.last().map_or(0.0, |(_, count)| *count);
        let kept = |(_, count): &&(f64, f64)| *count >= all * share;
        self.late
            .iter()
            .find(kept)
            .map_or(f64::NAN, |(bound, _)| *bound)
    }

    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    pub(crate) fn print(&self) {
        let seconds = self.seconds as f64;
        println!("sources up             {:>10}", self.up);
        println!("polls/s                {:>10.1}", self.polls / seconds);
        println!("events/s               {:>10.0}", self.events / seconds);
        println!(
            "CPU, of one core       {:>9.1} %",
            self.processor / seconds * 100.0
        );
        println!("peak memory            {:>7.0} MB", self.peak as f64 / 1e6);
        for share in [0.5, 0.9, 0.99, 0.999] {
            println!(
                "p{:<5} late at most      {:>7.0} ms",
                share * 100.0,
                self.late_within(share) * 1000.0
            );
        }
    }
}
