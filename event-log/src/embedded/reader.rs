//! Reads of the file, each in one snapshot of it.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use schemas::{Epoch, Position, SourceName, Timestamp};
use zstd::bulk::Decompressor;

use super::{block, command::Consumers, number, open, open::OpenError, seal};
use crate::{
    Batch, Body, Bounds, DeadLetter, ReadQuery, Record, SequenceState, sequence::Sequence,
};

/// Most blocks that one read looks into.
const SCAN_BLOCKS: usize = 64;
/// Most bytes that one read decompresses, but for the last block.
const SCAN_BYTES: usize = 8 * 1024 * 1024;

/// Why a read failed, before it is known which file it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the position is gone")]
    Gone { oldest: u64, newest: u64 },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("the decompressor cannot start: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Stored(String),
}

impl Fault {
    pub(super) fn while_opening(self, path: &Path) -> OpenError {
        match self {
            Self::Sqlite(e) => open::failed(path)(e),
            other => open::corrupt(path, other.to_string()),
        }
    }
}

/// A connection that reads.
pub(super) struct Reader {
    connection: Connection,
    decompressor: Decompressor<'static>,
    /// Nothing from this offset on is shown.
    ceiling: u64,
}

/// What a read has found so far.
#[derive(Default)]
struct Found {
    records: Vec<Record>,
    purged: u64,
}

struct Entry {
    first: u64,
    count: u64,
}

impl Entry {
    const fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

fn extent(snapshot: &Connection, ceiling: u64) -> rusqlite::Result<(u64, u64)> {
    let next: i64 = snapshot
        .prepare_cached("SELECT next_offset FROM meta")?
        .query_row([], |row| row.get(0))?;
    let first: Option<i64> = snapshot
        .prepare_cached("SELECT min(first_offset) FROM blocks")?
        .query_row([], |row| row.get(0))?;
    let newest = number::unsigned(next).min(ceiling);
    let oldest = first.map_or(newest, number::unsigned).min(newest);
    Ok((oldest, newest))
}

impl Reader {
    pub(super) fn new(connection: Connection, ceiling: u64) -> Result<Self, Fault> {
        Ok(Self {
            connection,
            decompressor: Decompressor::new()?,
            ceiling,
        })
    }

    pub(super) fn read(&mut self, from: u64, query: &ReadQuery) -> Result<Batch, Fault> {
        let snapshot = self.connection.transaction()?;
        let (oldest, newest) = extent(&snapshot, self.ceiling)?;
        if from < oldest || from > newest {
            return Err(Fault::Gone { oldest, newest });
        }
        let entries = entries(&snapshot, from, query)?;
        let mut found = Found::default();
        let mut next = from;
        let mut bytes = 0;
        let complete = entries.len() <= SCAN_BLOCKS;
        let mut stopped = !complete;
        for entry in entries.iter().take(SCAN_BLOCKS) {
            if entry.first >= newest {
                stopped = false;
                break;
            }
            if found.records.len() >= query.limit || bytes >= SCAN_BYTES {
                stopped = true;
                break;
            }
            let (size, reached) = read_block(
                &snapshot,
                &mut self.decompressor,
                entry,
                (from, newest),
                query,
                &mut found,
            )?;
            bytes += size;
            next = reached;
            if reached < entry.end().min(newest) {
                stopped = true;
                break;
            }
        }
        if !stopped {
            next = newest;
        }
        Ok(Batch {
            records: found.records,
            purged: found.purged,
            at_end: next >= newest,
            next: Position::from_offsets(vec![next]),
        })
    }

    /// The offset of the first event that was logged at or after an instant.
    pub(super) fn seek(&mut self, logged: Timestamp) -> Result<u64, Fault> {
        let snapshot = self.connection.transaction()?;
        let (_, newest) = extent(&snapshot, self.ceiling)?;
        let found: Option<(i64, i64)> = snapshot
            .prepare_cached(
                "SELECT first_offset, logged_min FROM blocks WHERE logged_max >= ?1
                 ORDER BY logged_max, first_offset LIMIT 1",
            )?
            .query_row([logged.as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((first, logged_min)) = found else {
            return Ok(newest);
        };
        let first_offset = number::unsigned(first);
        if logged_min >= logged.as_millis() {
            return Ok(first_offset.min(newest));
        }
        let body = body(&snapshot, first)?;
        let within = block::decompress(&mut self.decompressor, &body)
            .ok()
            .and_then(|text| {
                block::lines(&text)
                    .position(|line| block::logged(line).is_none_or(|at| at >= logged))
            })
            .unwrap_or(0);
        Ok(first_offset.saturating_add(within as u64).min(newest))
    }

    pub(super) fn bounds(&mut self) -> Result<Bounds, Fault> {
        let snapshot = self.connection.transaction()?;
        let (oldest, newest) = extent(&snapshot, self.ceiling)?;
        let oldest_logged: Option<i64> = snapshot
            .prepare_cached("SELECT logged_min FROM blocks ORDER BY first_offset LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let bytes = used_bytes(&snapshot)?;
        Ok(Bounds {
            oldest: Position::from_offsets(vec![oldest]),
            newest: Position::from_offsets(vec![newest]),
            oldest_logged: oldest_logged
                .filter(|_| oldest < newest)
                .map(Timestamp::from_millis),
            events: newest - oldest,
            bytes,
        })
    }

    pub(super) fn consumer(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        Ok(consumers(&self.connection)?.remove(name))
    }

    pub(super) fn sequences(&mut self) -> Result<Vec<SequenceState>, Fault> {
        let mut states = Vec::new();
        sequences(&self.connection, |source, epoch, sequence| {
            states.push(sequence.state(source, epoch));
        })?;
        Ok(states)
    }

    pub(super) fn dead_letters(
        &mut self,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT partition, offset, field, time, reason, message, bytes FROM dead_letters
             ORDER BY partition, offset, field LIMIT ?1 OFFSET ?2",
        )?;
        let rows = statement.query_map(
            params![number::signed(limit as u64), number::signed(skip)],
            |row| {
                let field: String = row.get(2)?;
                Ok(DeadLetter {
                    partition: usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                    offset: number::unsigned(row.get(1)?),
                    field: (!field.is_empty()).then_some(field),
                    time: Timestamp::from_millis(row.get(3)?),
                    reason: row.get(4)?,
                    message: row.get(5)?,
                    bytes: row.get(6)?,
                })
            },
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn dead_letter_count(&mut self) -> Result<u64, Fault> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT dead_letters FROM meta")?
            .query_row([], |row| row.get(0))?;
        Ok(number::unsigned(count))
    }
}

/// Every sequence, the oldest and the newest offset of a file that another process may write, all of one moment.
pub(super) fn moment(path: &Path) -> Result<(Vec<SequenceState>, u64, u64), OpenError> {
    let mut connection = open::readable(path)?;
    let failed = open::failed(path);
    let snapshot = connection.transaction().map_err(&failed)?;
    let (oldest, newest) = extent(&snapshot, u64::MAX).map_err(&failed)?;
    let mut states = Vec::new();
    sequences(&snapshot, |source, epoch, sequence| {
        states.push(sequence.state(source, epoch));
    })
    .map_err(|fault| fault.while_opening(path))?;
    Ok((states, oldest, newest))
}

/// Bytes of the file that hold something.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let value = |name: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let pages = value("page_count")?.saturating_sub(value("freelist_count")?);
    Ok(number::unsigned(pages.saturating_mul(value("page_size")?)))
}

/// How far each consumer is.
pub(super) fn consumers(connection: &Connection) -> Result<Consumers, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT meta.consumers, name, consumers.next_offset, crc FROM meta LEFT JOIN consumers",
    )?;
    let mut rows = statement.query([])?;
    let mut consumers = Consumers::new();
    let mut known = 0;
    while let Some(row) = rows.next()? {
        known = number::unsigned(row.get(0)?);
        let Some(name) = row.get::<_, Option<String>>(1)? else {
            break;
        };
        let next: i64 = row.get(2)?;
        if row.get::<_, i64>(3)? != seal::of_consumer(&name, next) {
            return Err(Fault::Stored(format!(
                "the position of the consumer {name} is damaged"
            )));
        }
        consumers.insert(name, number::unsigned(next));
    }
    complete("consumers", known, consumers.len())?;
    Ok(consumers)
}

/// A row that cannot be found any more is damage, too.
fn complete(what: &str, known: u64, found: usize) -> Result<(), Fault> {
    if known == found as u64 {
        return Ok(());
    }
    Err(Fault::Stored(format!(
        "it has {found} {what} and should have {known}"
    )))
}

/// Visits every stored sequence.
pub(super) fn sequences(
    connection: &Connection,
    mut visit: impl FnMut(SourceName, Epoch, Sequence),
) -> Result<(), Fault> {
    let mut statement = connection.prepare(
        "SELECT meta.sequences, source, s.epoch, last_seq, holes, crc FROM meta LEFT JOIN sequences s
         ORDER BY source, s.epoch",
    )?;
    let mut rows = statement.query([])?;
    let (mut known, mut found) = (0, 0);
    while let Some(row) = rows.next()? {
        known = number::unsigned(row.get(0)?);
        let Some(source) = row.get::<_, Option<String>>(1)? else {
            break;
        };
        let epoch: String = row.get(2)?;
        let stored = |what: &dyn std::fmt::Display| {
            Fault::Stored(format!(
                "the sequence of {source}:{epoch} is damaged: {what}"
            ))
        };
        let last: i64 = row.get(3)?;
        let holes = row.get_ref(4)?.as_str().map_err(|e| stored(&e))?;
        if row.get::<_, i64>(5)? != seal::of_sequence(&source, &epoch, last, holes) {
            return Err(stored(&"its checksum does not fit"));
        }
        found += 1;
        let sequence = Sequence::from_stored(number::unsigned(last), holes)
            .ok_or_else(|| stored(&"its holes are not ranges below its end"))?;
        visit(
            SourceName::new(&source).map_err(|e| stored(&e))?,
            Epoch::new(&epoch).map_err(|e| stored(&e))?,
            sequence,
        );
    }
    complete("sequences", known, found)
}

/// Blocks from the one of `from` on that may hold something wanted; at most one more than a read looks into.
fn entries(
    snapshot: &Transaction<'_>,
    from: u64,
    query: &ReadQuery,
) -> rusqlite::Result<Vec<Entry>> {
    let start: Option<(i64, i64)> = snapshot
        .prepare_cached(
            "SELECT first_offset, logged_max FROM blocks WHERE first_offset <= ?1
             ORDER BY first_offset DESC LIMIT 1",
        )?
        .query_row([number::signed(from)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (first, logged) = start.unwrap_or((0, i64::MIN));
    let observed = |time: Option<Timestamp>, none: i64| time.map_or(none, Timestamp::as_millis);
    let to = observed(query.filter.to, i64::MAX);
    let mut statement = snapshot.prepare_cached(
        "SELECT first_offset, count FROM blocks INDEXED BY blocks_bounds
         WHERE logged_max >= ?1 AND first_offset >= ?2 AND first_offset + count > ?3
           AND time_max >= ?4 AND time_min < ?5
         ORDER BY logged_max, first_offset LIMIT ?6",
    )?;
    let rows = statement.query_map(
        params![
            logged,
            first,
            number::signed(from),
            observed(query.filter.from, i64::MIN),
            to,
            number::signed(SCAN_BLOCKS as u64 + 1)
        ],
        |row| {
            Ok(Entry {
                first: number::unsigned(row.get(0)?),
                count: number::unsigned(row.get(1)?),
            })
        },
    )?;
    rows.collect()
}

fn body(snapshot: &Transaction<'_>, first: i64) -> rusqlite::Result<Vec<u8>> {
    snapshot
        .prepare_cached("SELECT body FROM blocks WHERE first_offset = ?1")?
        .query_row([first], |row| row.get(0))
}

/// Adds what is wanted of one block within `[from, newest)`. Returns its bytes and the offset after what was looked at.
fn read_block(
    snapshot: &Transaction<'_>,
    decompressor: &mut Decompressor<'_>,
    entry: &Entry,
    (from, newest): (u64, u64),
    query: &ReadQuery,
    found: &mut Found,
) -> rusqlite::Result<(usize, u64)> {
    let (body, logged): (Vec<u8>, i64) = snapshot
        .prepare_cached("SELECT body, logged_min FROM blocks WHERE first_offset = ?1")?
        .query_row([number::signed(entry.first)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let logged = Timestamp::from_millis(logged);
    let text = block::decompress(decompressor, &body).and_then(|text| {
        let found = block::lines(&text).count() as u64;
        if found == entry.count {
            Ok(text)
        } else {
            Err(format!(
                "it holds {found} events instead of {}",
                entry.count
            ))
        }
    });
    let end = entry.end().min(newest);
    let text = match text {
        Ok(text) => text,
        Err(why) => {
            let last = end.saturating_sub(1).max(entry.first);
            found.records.push(Record {
                partition: 0,
                offset: last,
                logged,
                body: Body::Unreadable {
                    reason: format!(
                        "the block of offsets {} to {last} is damaged: {why}",
                        entry.first
                    ),
                    bytes: body.into(),
                },
            });
            return Ok((0, end));
        }
    };
    let mut next = from.max(entry.first);
    let skip = usize::try_from(next - entry.first).unwrap_or(usize::MAX);
    for line in block::lines(&text).skip(skip) {
        if next >= end || found.records.len() >= query.limit {
            break;
        }
        if block::is_purged(line) {
            found.purged += 1;
            next += 1;
            continue;
        }
        let record = block::record(line, next, logged);
        next += 1;
        if record.event().is_none_or(|event| query.filter.wants(event)) {
            found.records.push(record);
        }
    }
    Ok((text.len(), next))
}
