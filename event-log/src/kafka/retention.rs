//! How much there is, and what may go.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::Message;
use schemas::{Position, Timestamp};
use tracing::warn;

use super::{
    Inner,
    cluster::{Cluster, Extent, blocking},
    error::{self, read},
    follower, record,
    scan::scan,
};
use crate::{AppendError, Bounds, ReadError, Retention};

/// Records that the size of a record is estimated from.
const SAMPLE: u64 = 256;
/// … and most bytes of them.
const SAMPLE_BYTES: usize = 512 * 1024;
/// How long trimming waits for the snapshots that must come before it.
const SNAPSHOT: Duration = Duration::from_secs(30);

/// What a record takes on average, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    records: u64,
    bytes: u64,
}

impl Sample {
    fn of(self, records: u64) -> u64 {
        let bytes = u128::from(self.bytes) * u128::from(records) / u128::from(self.records.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// What was looked up of partitions and stays true.
#[derive(Default)]
pub(super) struct Sizes {
    samples: Mutex<HashMap<usize, Sample>>,
    /// When the first record at an offset was logged.
    firsts: Mutex<HashMap<usize, (u64, Timestamp)>>,
}

impl Sizes {
    /// Estimates what a record of a partition takes, from its newest, packed as the brokers pack them.
    fn sample(&self, inner: &Inner, partition: usize, extent: Extent) -> Result<Sample, ReadError> {
        let there = extent.high - extent.low;
        let known = self
            .samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&partition)
            .copied();
        if let Some(known) = known
            && (known.records >= SAMPLE || there < known.records * 2)
        {
            return Ok(known);
        }
        let from = extent.high.saturating_sub(SAMPLE).max(extent.low);
        let mut sample = Sample::default();
        let mut text = Vec::new();
        scan(&inner.cluster, &inner.topic, partition, from, |message| {
            text.extend_from_slice(message.payload().unwrap_or_default());
            sample.records += 1;
            text.len() < SAMPLE_BYTES
        })?;
        sample.bytes = zstd::bulk::compress(&text, 3).map_or(text.len(), |packed| packed.len())
            as u64
            + sample.records * 4;
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.insert(partition, sample);
        Ok(sample)
    }

    fn first(
        &self,
        inner: &Inner,
        partition: usize,
        low: u64,
    ) -> Result<Option<Timestamp>, ReadError> {
        let known = self
            .firsts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&partition)
            .copied();
        if let Some((at, logged)) = known
            && at == low
        {
            return Ok(Some(logged));
        }
        let mut first = None;
        scan(&inner.cluster, &inner.topic, partition, low, |message| {
            first = Some(record::logged(message));
            false
        })?;
        if let Some(logged) = first {
            let mut firsts = self.firsts.lock().unwrap_or_else(PoisonError::into_inner);
            firsts.insert(partition, (low, logged));
        }
        Ok(first)
    }
}

/// Samples of all partitions. Blocks.
fn samples(inner: &Inner, extents: &[Extent]) -> Result<Vec<Sample>, ReadError> {
    (0..)
        .zip(extents)
        .map(|(partition, extent)| {
            if extent.low < extent.high {
                inner.sizes.sample(inner, partition, *extent)
            } else {
                Ok(Sample::default())
            }
        })
        .collect()
}

fn size(samples: &[Sample], begins: &[u64], extents: &[Extent]) -> u64 {
    let counts = begins.iter().zip(extents);
    let counts = counts.map(|(begin, extent)| extent.high.saturating_sub(*begin));
    samples
        .iter()
        .zip(counts)
        .map(|(sample, count)| sample.of(count))
        .sum()
}

fn lows(extents: &[Extent]) -> Vec<u64> {
    extents.iter().map(|e| e.low).collect()
}

/// When the oldest record was logged, if there is one. Blocks.
fn oldest_logged(inner: &Inner, extents: &[Extent]) -> Result<Option<Timestamp>, ReadError> {
    let mut oldest = None;
    for (partition, extent) in (0..).zip(extents) {
        if extent.low < extent.high {
            let first = inner.sizes.first(inner, partition, extent.low)?;
            oldest = oldest.into_iter().chain(first).min();
        }
    }
    Ok(oldest)
}

/// How far the log reaches. Blocks.
pub(super) fn bounds(inner: &Inner, extents: &[Extent]) -> Result<Bounds, ReadError> {
    let oldest_logged = oldest_logged(inner, extents)?;
    let samples = samples(inner, extents)?;
    Ok(Bounds {
        oldest: Position::from_offsets(lows(extents)),
        newest: Position::from_offsets(extents.iter().map(|e| e.high).collect()),
        oldest_logged,
        events: extents.iter().map(|e| e.high - e.low).sum(),
        bytes: size(&samples, &lows(extents), extents),
    })
}

/// Up to where every consumer has gone, if any ever said. Blocks.
fn floor(cluster: &Cluster, extents: &[Extent]) -> Result<Vec<u64>, ReadError> {
    let failed = |e| {
        read(
            cluster.brokers(),
            "the positions of consumers are not known",
            &e,
        )
    };
    let mut floor: Vec<u64> = extents.iter().map(|e| e.high).collect();
    for group in cluster.groups().map_err(failed)? {
        let committed = cluster.committed(&group, extents.len()).map_err(failed)?;
        if committed.iter().all(Option::is_none) {
            continue;
        }
        for ((floor, committed), extent) in floor.iter_mut().zip(committed).zip(extents) {
            *floor = (*floor).min(committed.unwrap_or(extent.low));
        }
    }
    Ok(floor)
}

/// Where each partition is to begin. Blocks.
fn target(inner: &Inner, retention: &Retention, extents: &[Extent]) -> Result<Vec<u64>, ReadError> {
    let cluster = &inner.cluster;
    let since = |millis: i64| cluster.since(Timestamp::from_millis(millis), extents);
    let mut target = match retention.before {
        Some(before) => cluster.since(before, extents)?,
        None => lows(extents),
    };
    if let Some(max) = retention.max_bytes {
        let samples = samples(inner, extents)?;
        let fits = |begins: &[u64]| size(&samples, begins, extents) <= max;
        if !fits(&target) {
            // the first millisecond from which on the rest fits: the oldest go first, in all partitions
            let mut early = oldest_logged(inner, extents)?
                .unwrap_or_default()
                .as_millis();
            let mut late = Timestamp::now().as_millis().max(early) + 1;
            while early < late {
                let middle = early + (late - early) / 2;
                if fits(&since(middle)?) {
                    late = middle;
                } else {
                    early = middle + 1;
                }
            }
            let (before, after) = (since(late - 1)?, since(late)?);
            merge(&mut target, &before);
            // of those that were logged in the same millisecond, no more than needed
            for (partition, after) in after.into_iter().enumerate() {
                let over = size(&samples, &target, extents).saturating_sub(max);
                let (Some(begin), Some(sample)) =
                    (target.get_mut(partition), samples.get(partition))
                else {
                    continue;
                };
                if over > 0 {
                    let each = sample.of(1).max(1);
                    *begin = (*begin + over.div_ceil(each) + 1).min(after.max(*begin));
                }
            }
        }
    }
    Ok(target)
}

fn merge(begins: &mut [u64], others: &[u64]) {
    for (begin, other) in begins.iter_mut().zip(others) {
        *begin = (*begin).max(*other);
    }
}

/// Trims the beginning of the log. Returns how many records went.
pub(super) async fn trim(inner: &Arc<Inner>, retention: Retention) -> Result<u64, AppendError> {
    let extents = follower::catch_up(inner).await.map_err(error::from_read)?;
    let looking = {
        let (inner, extents) = (Arc::clone(inner), extents.clone());
        blocking(move || {
            let mut target = target(&inner, &retention, &extents)?;
            let moves = |target: &[u64]| target.iter().zip(&extents).any(|(t, e)| *t > e.low);
            if moves(&target) {
                let floor = floor(&inner.cluster, &extents)?;
                for (target, floor) in target.iter_mut().zip(floor) {
                    *target = (*target).min(floor);
                }
            }
            Ok(moves(&target).then_some(target))
        })
    };
    let Some(mut target) = looking.await.map_err(error::from_read)? else {
        return Ok(0);
    };
    // what goes must stay known: its ids may come again
    let saving = Arc::clone(inner);
    let saved = tokio::task::spawn_blocking(move || follower::save(&saving, true)).await;
    for ticket in saved.unwrap_or_default() {
        if tokio::time::timeout(SNAPSHOT, ticket.done()).await.is_err() {
            warn!("the log is not trimmed: the snapshot that comes before it was not taken");
            return Err(AppendError::Busy);
        }
        if let Some(failed) = ticket.failure() {
            return Err(failed);
        }
    }
    for (target, extent) in target.iter_mut().zip(&extents) {
        *target = (*target).max(extent.low);
    }
    let begins = inner
        .cluster
        .delete_before(&target)
        .await
        .map_err(|e| error::write(inner.cluster.brokers(), "trimming", &e))?;
    let gone = begins
        .iter()
        .zip(&extents)
        .map(|(begin, extent)| begin.saturating_sub(extent.low))
        .sum();
    inner.set_lows(&begins);
    inner.metrics.trimmed.inc_by(gone);
    Ok(gone)
}
