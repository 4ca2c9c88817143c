//! The topic of sequences: what each partition held, as of some offset.
//!
//! There are two places for each partition, written in turn: if the newest is of events that a power cut took from the
//! brokers, the one before is still of use.

use std::collections::HashMap;

use rdkafka::Message;
use schemas::Timestamp;
use tracing::{info, warn};

use super::{
    EVENTS, SEQUENCES,
    cluster::{Cluster, Extent, unsigned},
    ledger::{Ledger, Mark},
    record::logged,
    scan::scan,
    snapshot,
};
use crate::ReadError;

/// What a partition begins with.
pub(super) struct Beginning {
    pub(super) ledger: Ledger,
    /// Where the next snapshot goes.
    pub(super) slot: u8,
}

pub(super) fn key(partition: usize, slot: u8) -> String {
    format!("{partition}/{slot}")
}

fn parse(key: &[u8]) -> Option<(usize, u8)> {
    let (partition, slot) = str::from_utf8(key).ok()?.split_once('/')?;
    Some((
        partition.parse().ok()?,
        slot.parse().ok().filter(|s| *s < 2)?,
    ))
}

/// The snapshots of some partitions, newest first. Blocks.
fn snapshots(cluster: &Cluster) -> Result<HashMap<usize, Vec<(u8, Ledger)>>, ReadError> {
    let mut newest: HashMap<(usize, u8), Vec<u8>> = HashMap::new();
    scan(
        cluster,
        &cluster.options.topic(SEQUENCES),
        0,
        0,
        |message| {
            if let (Some(key), Some(bytes)) = (message.key().and_then(parse), message.payload()) {
                newest.insert(key, bytes.to_vec());
            }
            true
        },
    )?;
    let mut found: HashMap<usize, Vec<(u8, Ledger)>> = HashMap::new();
    for ((partition, slot), bytes) in newest {
        if let Some(ledger) = snapshot::decode(&bytes) {
            found.entry(partition).or_default().push((slot, ledger));
        } else {
            warn!(
                partition,
                "a snapshot of sequences is of another release, it is left alone"
            );
        }
    }
    for snapshots in found.values_mut() {
        snapshots.sort_by_key(|(_, ledger)| std::cmp::Reverse(ledger.next));
    }
    Ok(found)
}

/// Whether the records before a ledger's offset are still those that it was made of, as far as can be told. Blocks.
pub(super) fn is_of(
    cluster: &Cluster,
    partition: usize,
    mark: Mark,
    extent: Extent,
) -> Result<bool, ReadError> {
    if mark.next > extent.high {
        return Ok(false);
    }
    if mark.logged == 0 || mark.next <= extent.low {
        return Ok(true);
    }
    // the record before it was logged when the ledger says
    let last = mark.next - 1;
    let at = |logged: i64| cluster.since_in(partition, Timestamp::from_millis(logged));
    let begins = at(mark.logged)?.is_some_and(|first| first <= last);
    let ends = at(mark.logged + 1)?.is_none_or(|first| first > last);
    if begins && ends {
        return Ok(true);
    }
    // brokers whose clocks differ log times that go back: the record itself knows
    let mut is_it = false;
    scan(
        cluster,
        &cluster.options.topic(EVENTS),
        partition,
        last,
        |message| {
            is_it =
                unsigned(message.offset()) == last && logged(message).as_millis() == mark.logged;
            false
        },
    )?;
    Ok(is_it)
}

/// What is known of some partitions from snapshots, as a place to read on from. Blocks.
pub(super) fn load(
    cluster: &Cluster,
    wanted: &[(usize, Extent)],
) -> Result<Vec<Beginning>, ReadError> {
    let mut found = snapshots(cluster)?;
    let mut all = Vec::with_capacity(wanted.len());
    for &(partition, extent) in wanted {
        let mut beginning = Beginning {
            ledger: Ledger::from(extent.low),
            slot: 0,
        };
        for (slot, mut ledger) in found.remove(&partition).unwrap_or_default() {
            if is_of(cluster, partition, ledger.mark(), extent)? {
                // what was trimmed after it is not known to it
                ledger.skip_to(extent.low);
                beginning = Beginning {
                    ledger,
                    slot: 1 - slot,
                };
                break;
            }
            info!(
                partition,
                next = ledger.next,
                "a snapshot of sequences is of events that are gone, it is left out"
            );
        }
        all.push(beginning);
    }
    Ok(all)
}
