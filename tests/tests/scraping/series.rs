//! The series that Prometheus has, and whether Homelog tells each of them with its value.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{lab::Lab, simulator::client};
use schemas::Timestamp;
use serde_json::Value;
use test_servers::Prometheus;

use crate::told::{Labels, Poll, poll_after};

/// How far around a poll Prometheus' own readings are looked at, in milliseconds.
const AROUND: i64 = 5_000;
/// How long Prometheus may take until it scrapes.
const PATIENCE: Duration = Duration::from_mins(1);
/// What it has of itself only while it scrapes, and so always sees.
const WHILE_IT_SCRAPES: &str = "prometheus_tsdb_head_active_appenders";

/// Asks Prometheus.
pub(crate) async fn ask(
    prometheus: &Prometheus,
    path: &str,
    query: &[(&str, &str)],
) -> Result<Value> {
    let answer = client()?
        .get(format!("{}/api/v1/{path}", prometheus.url()))
        .query(query)
        .send()
        .await?;
    let answer: Value = answer.json().await?;
    ensure!(answer["status"] == "success", "{path} {query:?}: {answer}");
    Ok(answer["data"].clone())
}

/// Waits until it has scraped so many targets; it begins some seconds after it started.
pub(crate) async fn until_scraped(prometheus: &Prometheus, targets: usize) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let up = ask(prometheus, "query", &[("query", "up == 1")]).await?;
        if up["result"].as_array().map_or(0, Vec::len) == targets {
            return Ok(());
        }
        ensure!(Instant::now() < end, "it scrapes not all: {up}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Readings of one series: when in milliseconds, and what.
pub(crate) struct Series {
    name: String,
    labels: Labels,
    pub(crate) readings: Vec<(i64, f64)>,
}

impl Series {
    /// Whether it was there before and after a time.
    fn surrounds(&self, time: i64) -> bool {
        let read = |is: &dyn Fn(i64) -> bool| self.readings.iter().any(|(at, _)| is(*at));
        read(&|at| at < time - 1_000) && read(&|at| at > time + 2_000)
    }

    /// From what to what it went, if it only grew.
    fn grew(&self) -> Option<(f64, f64)> {
        let ((_, least), (_, most)) = (self.readings.first()?, self.readings.last()?);
        let grew = self.readings.is_sorted_by(|(_, a), (_, b)| a <= b);
        grew.then_some((*least, *most))
    }
}

/// What Prometheus read around a time.
pub(crate) async fn read(
    prometheus: &Prometheus,
    selector: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Series>> {
    let milliseconds = to.since(from);
    let query = format!("{selector}[{milliseconds}ms]");
    let time = format!("{}.{:03}", to.as_millis() / 1000, to.as_millis() % 1000);
    let answer = ask(prometheus, "query", &[("query", &query), ("time", &time)]).await?;
    let series = answer["result"].as_array().context("a matrix")?;
    series.iter().map(one).collect()
}

fn one(series: &Value) -> Result<Series> {
    let mut labels = Labels::new();
    for (name, value) in series["metric"].as_object().context("labels")? {
        labels.insert(name.clone(), value.as_str().context("a label")?.to_owned());
    }
    // these it adds itself, and what was called so has another name
    for own in ["job", "instance"] {
        labels.remove(own);
        if let Some(value) = labels.remove(&format!("exported_{own}")) {
            labels.insert(own.to_owned(), value);
        }
    }
    let mut readings = Vec::new();
    for reading in series["values"].as_array().context("values")? {
        let time = reading[0].as_f64().context("a time")?;
        let value = reading[1].as_str().context("a value")?.parse()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds of this century"
        )]
        readings.push(((time * 1000.0).round() as i64, value));
    }
    Ok(Series {
        name: labels.remove("__name__").context("a name")?,
        labels,
        readings,
    })
}

/// The types that a target declares, by the name of the family.
async fn types(prometheus: &Prometheus, job: &str) -> Result<BTreeMap<String, String>> {
    let target = format!("{{job=\"{job}\"}}");
    let told = ask(prometheus, "targets/metadata", &[("match_target", &target)]).await?;
    let mut types = BTreeMap::new();
    for family in told.as_array().context("families")? {
        let text = |key: &str| family[key].as_str().map(ToOwned::to_owned);
        types.insert(
            text("metric").context("metric")?,
            text("type").context("type")?,
        );
    }
    Ok(types)
}

/// What Homelog has to make of a series.
#[derive(PartialEq, Eq, Debug)]
enum Expected {
    Gauge(String),
    Counter(String),
    /// A label of the target.
    Fact(String),
    /// What the count says already.
    Nothing,
}

/// A name whose end is its unit, parted before it.
fn parted(name: &str) -> (&str, &str) {
    for unit in ["_seconds", "_bytes"] {
        if let Some(stem) = name.strip_suffix(unit) {
            return (stem, unit);
        }
    }
    (name, "")
}

fn number(text: &str) -> Result<String> {
    Ok(text.parse::<f64>()?.to_string())
}

/// By the catalogue of the integration, written anew from it.
fn expected(series: &mut Series, types: &BTreeMap<String, String>) -> Result<Expected> {
    let name = series.name.as_str();
    let type_of = |family: &str| types.get(family).map(String::as_str);
    for (end, fits) in [
        ("_bucket", &["histogram"][..]),
        ("_count", &["histogram", "summary"]),
        ("_sum", &["histogram", "summary"]),
    ] {
        let Some(family) = name.strip_suffix(end) else {
            continue;
        };
        if !type_of(family).is_some_and(|found| fits.contains(&found)) {
            continue;
        }
        let (stem, unit) = parted(family);
        return Ok(match end {
            "_bucket" => match series.labels.remove("le").context("le")?.as_str() {
                "+Inf" => Expected::Nothing,
                most => Expected::Counter(format!("{family}_bucket_{}_total", number(most)?)),
            },
            "_count" => Expected::Counter(format!("{family}_count_total")),
            _ => Expected::Counter(format!("{stem}_sum{unit}_total")),
        });
    }
    let found = type_of(name).with_context(|| format!("{name} has no type"))?;
    Ok(match found {
        "counter" | "unknown" if name.ends_with("_total") => Expected::Counter(name.to_owned()),
        "counter" => Expected::Counter(format!("{name}_total")),
        "summary" => {
            let of = series.labels.remove("quantile").context("quantile")?;
            let (stem, unit) = parted(name);
            Expected::Gauge(format!("{stem}_quantile_{}{unit}", number(&of)?))
        }
        "gauge" | "unknown" => match name.strip_suffix("_info") {
            Some(fact) => Expected::Fact(fact.to_owned()),
            None if name.ends_with("_total") => Expected::Gauge(format!("{name}_current")),
            None => Expected::Gauge(name.to_owned()),
        },
        other => anyhow::bail!("{name} is a {other}"),
    })
}

/// How many series were found to be what.
#[derive(Default, Debug)]
struct Compared {
    equal: usize,
    /// Counters that lie between what they were before and after.
    between: usize,
    /// Gauges that moved, and what came or went: nobody can say what they were.
    moved: usize,
    facts: usize,
    no_number: usize,
    told_by_another: usize,
    /// Gauges that were the same before and after, but not then.
    different: BTreeSet<String>,
}

impl Compared {
    fn value(&mut self, told: f64, series: &Series, is_counter: bool, time: i64) -> Result<()> {
        let Series { name, labels, .. } = series;
        let (_, first) = series.readings.first().context("no reading")?;
        let same = |value: f64| value.to_bits() == first.to_bits();
        if !series.surrounds(time) {
            self.moved += 1;
        } else if series.readings.iter().all(|(_, value)| same(*value)) {
            if same(told) {
                self.equal += 1;
                return Ok(());
            }
            ensure!(!is_counter, "{name} {labels:?} is {first}, told is {told}");
            self.different.insert(format!("{name} {labels:?}"));
        } else if let Some((least, most)) = series.grew().filter(|_| is_counter) {
            ensure!(
                (least..=most).contains(&told),
                "{name} {labels:?} went from {least} to {most}, told is {told}"
            );
            self.between += 1;
        } else {
            self.moved += 1;
        }
        Ok(())
    }
}

/// Holds a source, which is called as the job, against what Prometheus read at the same time.
pub(crate) async fn compare(
    lab: &Lab,
    prometheus: &Prometheus,
    job: &str,
    least: usize,
) -> Result<()> {
    let mut always: Option<BTreeSet<String>> = None;
    for _ in 0..3 {
        let compared = compare_poll(lab, prometheus, job).await?;
        ensure!(
            compared.equal >= least && compared.between >= 10,
            "{compared:?}"
        );
        let different = compared.different;
        let different = different
            .into_iter()
            .filter(|name| !name.starts_with(WHILE_IT_SCRAPES));
        let still: BTreeSet<_> = match always {
            Some(before) => different.filter(|name| before.contains(name)).collect(),
            None => different.collect(),
        };
        if still.is_empty() {
            return Ok(());
        }
        // what moves now and then did so between two looks; what is read wrongly is so each time
        always = Some(still);
    }
    anyhow::bail!("{job}: other values than Prometheus has: {always:?}");
}

async fn compare_poll(lab: &Lab, prometheus: &Prometheus, job: &str) -> Result<Compared> {
    // both have read it before
    let begin = Timestamp::now().plus_millis(AROUND + 1_000);
    let Poll {
        time,
        mut values,
        target,
        ..
    } = poll_after(lab, job, begin).await?;
    let to = time.plus_millis(AROUND);
    let rest = to.since(Timestamp::now()) + 1_500;
    tokio::time::sleep(Duration::from_millis(rest.try_into().unwrap_or_default())).await;
    let types = types(prometheus, job).await?;
    let selector = format!("{{job=\"{job}\"}}");
    let all = read(prometheus, &selector, time.plus_millis(-AROUND), to).await?;
    let count = all.len();
    let told = values.len();
    let mut named = BTreeMap::<String, usize>::new();
    for series in &all {
        *named.entry(series.name.clone()).or_default() += 1;
    }
    let mut compared = Compared::default();
    for mut series in all {
        let name = series.name.clone();
        // Prometheus says this of its scrapes, not the target
        if name == "up" || name.starts_with("scrape_") {
            compared.told_by_another += 1;
            continue;
        }
        if series.readings.iter().any(|(_, value)| !value.is_finite()) {
            compared.no_number += 1;
            continue;
        }
        let expected = expected(&mut series, &types)?;
        let (field, is_counter) = match expected {
            Expected::Nothing => continue,
            Expected::Fact(fact) => {
                compared.facts += 1;
                // of several things a target has no one label
                let alone = named.get(&name) == Some(&1);
                for (label, value) in series.labels.iter().filter(|_| alone) {
                    let found = &target["entity"]["labels"][format!("{fact}_{label}")];
                    // a label is not empty and not endless
                    ensure!(
                        value.is_empty() || value.len() > 200 || found == value.as_str(),
                        "{fact} {label} is `{value}`, told is {found}"
                    );
                }
                continue;
            }
            Expected::Gauge(field) => (field, false),
            Expected::Counter(field) => (field, true),
        };
        let key = (series.labels.clone(), field);
        match values.remove(&key) {
            Some(value) => compared.value(value, &series, is_counter, time.as_millis())?,
            // devices come and go
            None => ensure!(
                !series.surrounds(time.as_millis()),
                "{name} is not told: {key:?}"
            ),
        }
    }
    // what is no number at one time may be one at another
    let left: Vec<_> = values.keys().collect();
    ensure!(left.len() <= compared.no_number, "nobody else has {left:?}");
    println!(
        "{job}: {count} series of Prometheus, {told} values told: {compared:?}, {} left",
        left.len()
    );
    let scrape = &target["fields"];
    ensure!(
        scrape["garbled_lines_count"] == 0 && scrape["series_left_out_count"] == 0,
        "{scrape}"
    );
    ensure!(scrape["series_count"] == told, "{scrape}");
    Ok(compared)
}
