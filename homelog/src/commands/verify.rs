//! `homelog verify`: reads everything, changes nothing, and names every fault. Works also while `homelog up` runs.

mod points;
mod sequences;

use event_log::{Body, EventLog, Filter, ReadQuery};
use schemas::Position;
use time_series::TimeSeries;

use super::{progress, user::say};
use crate::{
    cli::PlaceArgs,
    config::StoreKind,
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};
use points::{Points, Tally};
use sequences::{Found, Verdict};

/// Records of one read.
const BATCH: usize = 1_000;
/// Faults that are printed; the rest is counted.
const SHOWN: usize = 100;

/// What was found.
#[derive(Default)]
struct Findings {
    logged: u64,
    purged: u64,
    covered: u64,
    dead_letters: u64,
    sequences: Verdict,
    points: Tally,
    faults: Vec<String>,
}

pub(crate) async fn run(args: &PlaceArgs, env: &Env) -> Result<(), Failure> {
    let needs = Needs {
        log: true,
        store: true,
        control: false,
    };
    let place = Place::new(args, needs, false, env)?;
    // the store first: what it has taken is then in the log, also while both grow
    let store = place.store().await?;
    let log = place.log().await?;
    let mut findings = read(&*log, &*store).await?;
    findings.faults.extend(file_faults(&place).await?);
    place.leave().await;
    let faults: Vec<&String> = findings
        .faults
        .iter()
        .chain(&findings.sequences.faults)
        .chain(&findings.points.faults)
        .collect();
    for fault in faults.iter().take(SHOWN) {
        eprintln!("homelog: {fault}");
    }
    if faults.len() > SHOWN {
        eprintln!("homelog: and {} more faults", faults.len() - SHOWN);
    }
    report(&findings, faults.len())?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

/// What is wrong with the file of an embedded store.
async fn file_faults(place: &Place) -> anyhow::Result<Vec<String>> {
    let (StoreKind::Embedded, Some(data)) = (place.config.store.kind, &place.data) else {
        return Ok(Vec::new());
    };
    let store = time_series::Embedded::open_read_only(data.join(time_series::Embedded::FILE))?;
    let checked = store.check().await?;
    Ok(checked
        .problems
        .into_iter()
        .map(|problem| format!("time-series store: {problem}"))
        .collect())
}

fn report(findings: &Findings, faults: usize) -> Result<(), Failure> {
    let (sequences, points) = (&findings.sequences, &findings.points);
    for (count, what) in [
        (sequences.produced, "events produced"),
        (findings.logged, "events in the log"),
        (sequences.trimmed, "events dropped by retention"),
        (findings.purged, "events purged"),
        (
            sequences.declared,
            "events dropped by agents, who declare it",
        ),
        (findings.covered, "events taken by the store"),
        (points.expected, "points that these events make"),
        (points.stored, "of them in the store"),
        (points.trimmed, "of them dropped by retention"),
        (findings.dead_letters, "dead letters"),
        (faults as u64, "faults"),
    ] {
        say(&format!("{count:>12}  {what}"))?;
    }
    Ok(())
}

/// Offsets at which a read found nothing.
#[derive(Default)]
struct Gaps {
    offsets: u64,
    told: Vec<String>,
}

impl Gaps {
    fn add(&mut self, from: u64, to: u64) {
        if from < to {
            self.offsets += to - from;
            let last = to - 1;
            self.told
                .push(format!("offsets {from} to {last} are not in the log"));
        }
    }
}

async fn read(log: &dyn EventLog, store: &dyn TimeSeries) -> anyhow::Result<Findings> {
    let bounds = log.bounds().await?;
    let taken = store
        .position()
        .await?
        .unwrap_or_else(|| Position::start(bounds.oldest.partitions()));
    let mut findings = Findings {
        dead_letters: log.dead_letter_count().await?,
        ..Findings::default()
    };
    if !taken.reaches(&bounds.oldest) && bounds.oldest != Position::start(1) {
        findings.faults.push(format!(
            "the store has taken events up to position {taken}, the log begins at {}: what lies between never came into the store",
            bounds.oldest
        ));
    }
    if !bounds.newest.reaches(&taken) {
        findings.faults.push(format!(
            "the store has taken events up to position {taken}, the log ends at {}: events that were in the log are gone",
            bounds.newest
        ));
    }
    let trimmed = bounds.oldest.events_since(&Position::start(1));
    let mut found = Found::default();
    let mut points = Points::new(store, trimmed == 0).await?;
    let exact = log.capabilities().exact_positions;
    let bar = progress::bar(bounds.events, "verify");
    let query = ReadQuery {
        filter: Filter::default(),
        limit: BATCH,
    };
    let mut position = bounds.oldest.clone();
    loop {
        let batch = log.read(&position, &query).await?;
        findings.purged += batch.purged;
        let mut gaps = Gaps::default();
        for record in &batch.records {
            let expected = position.offset(record.partition);
            // a damaged block is one record at its last offset; where records may be repeated, some offsets hold nothing new
            if exact && record.offset != expected && record.event().is_some() {
                gaps.add(expected, record.offset);
            }
            match &record.body {
                Body::Event(event) => {
                    findings.logged += 1;
                    found.add(event);
                }
                Body::Unreadable { reason, .. } => findings
                    .faults
                    .push(format!("offset {}: {reason}", record.offset)),
            }
            position.advance(record.partition, record.offset);
            if taken.reaches(&position) {
                findings.covered += 1;
                points.add(record).await?;
            }
            bar.inc(1);
        }
        if exact && batch.next != position {
            for (partition, &next) in (0..).zip(batch.next.offsets()) {
                gaps.add(position.offset(partition), next);
            }
        }
        // what is purged leaves its offset; whatever is absent beyond that is lost
        if gaps.offsets != batch.purged {
            findings.faults.extend(gaps.told);
        }
        position = batch.next;
        if batch.at_end {
            break;
        }
    }
    bar.finish_and_clear();
    findings.points = points.finish().await?;
    findings.sequences = found.compare(&log.sequences().await?, trimmed, findings.purged);
    Ok(findings)
}
