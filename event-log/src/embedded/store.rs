//! What the writer knows of the file, and its transactions.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use schemas::{Epoch, Timestamp};
use tracing::warn;
use zstd::bulk::{Compressor, Decompressor};

use super::{
    block::{self, Lines, PACKED, PACKED_BYTES, Span},
    command::{Consumers, Trimmed},
    fault::WriteFault,
    number, open,
    open::OpenError,
    reader::{self, used_bytes},
    staged::Staged,
};
use crate::{Retention, admission::Admission};

/// Most dead letters that are kept; the oldest go first.
const MAX_DEAD_LETTERS: u64 = 100_000;
/// Most bytes of dead letters that are kept.
const MAX_DEAD_LETTER_BYTES: u64 = 256 * 1024 * 1024;
/// Blocks that one step of trimming removes.
const TRIM_BLOCKS: usize = 256;
/// Free pages that stay in the file, so that trimming and appending do not shrink and grow it in turn.
const SPARE_PAGES: i64 = 1024;
/// Free pages that one step gives back to the file system.
const VACUUM_PAGES: i64 = 512;
/// Pages in the write-ahead log from which it is moved into the file, between commits.
const CHECKPOINT_PAGES: u64 = 1024;
const PAGE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    next_offset: u64,
    last_logged: Timestamp,
    dead_letters: u64,
    dead_letter_bytes: u64,
}

/// The file as its one writer sees it.
pub(super) struct Store {
    connection: Connection,
    compressor: Compressor<'static>,
    pub(super) admission: Admission,
    meta: Meta,
    /// The lines of the last blocks that are not packed yet.
    tail: Lines,
    consumers: Consumers,
    /// Estimate of the pages in the write-ahead log.
    wal_pages: u64,
    checkpoint_at: u64,
}

impl Store {
    /// Opens the file, makes it if there is none, and checks what can be checked at once.
    pub(super) fn open(path: &Path, max_bytes: Option<u64>) -> Result<Self, OpenError> {
        let connection = open::writable(path, max_bytes)?;
        let failed = open::failed(path);
        let (epoch, meta) = connection
            .query_row(
                "SELECT epoch, next_offset, last_logged, dead_letters, dead_letter_bytes FROM meta",
                [],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        Meta {
                            next_offset: number::unsigned(row.get(1)?),
                            last_logged: Timestamp::from_millis(row.get(2)?),
                            dead_letters: number::unsigned(row.get(3)?),
                            dead_letter_bytes: number::unsigned(row.get(4)?),
                        },
                    ))
                },
            )
            .map_err(&failed)?;
        let epoch = Epoch::new(epoch).map_err(|e| open::corrupt(path, e.to_string()))?;
        let mut admission = Admission::new(epoch);
        reader::sequences(&connection, |source, epoch, sequence| {
            admission.restore(source, epoch, sequence);
        })
        .map_err(|fault| fault.while_opening(path))?;
        let tail = load_tail(&connection, meta.next_offset, path)?;
        let consumers = connection
            .prepare("SELECT name, next_offset FROM consumers")
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| Ok((row.get(0)?, number::unsigned(row.get(1)?))))?
                    .collect()
            })
            .map_err(&failed)?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal_pages = std::fs::metadata(&wal).map_or(0, |file| file.len() / PAGE);
        Ok(Self {
            connection,
            compressor: block::compressor().map_err(|e| OpenError::Failed {
                path: path.to_path_buf(),
                cause: e.to_string(),
            })?,
            admission,
            meta,
            tail,
            consumers,
            wal_pages,
            checkpoint_at: CHECKPOINT_PAGES,
        })
    }

    /// The offset of the next event.
    pub(super) const fn next_offset(&self) -> u64 {
        self.meta.next_offset
    }

    /// The oldest offset that is there.
    pub(super) fn oldest(&self) -> rusqlite::Result<u64> {
        let first: Option<i64> =
            self.connection
                .query_row("SELECT min(first_offset) FROM blocks", [], |row| row.get(0))?;
        Ok(first.map_or(self.meta.next_offset, number::unsigned))
    }

    /// The time at which the next transaction is logged: never before an earlier one.
    pub(super) fn clock(&self) -> Timestamp {
        Timestamp::now().max(self.meta.last_logged)
    }

    /// The position that a consumer may have, if it is not the one it has.
    pub(super) fn moved(&self, consumer: &str, next: u64) -> Option<u64> {
        let next = next.min(self.meta.next_offset);
        (self.consumers.get(consumer) != Some(&next)).then_some(next)
    }

    /// Makes everything that is staged durable, or nothing. Returns the bytes of bodies that were written.
    pub(super) fn write(&mut self, staged: &mut Staged) -> Result<u64, WriteFault> {
        let written = self.transact(staged);
        if written.is_err() {
            self.admission.undo();
            if !self.connection.is_autocommit() {
                return Err(WriteFault::Broken(
                    "a transaction that failed cannot be rolled back".to_owned(),
                ));
            }
        }
        written
    }

    fn transact(&mut self, staged: &mut Staged) -> Result<u64, WriteFault> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let added = staged.lines.count();
        let mut meta = Meta {
            next_offset: self.meta.next_offset + added as u64,
            ..self.meta
        };
        let tail_first = self.meta.next_offset - self.tail.count() as u64;
        let packs = self.tail.count() > 0
            && added > 0
            && (self.tail.count() + added >= PACKED
                || self.tail.bytes() + staged.lines.bytes() >= PACKED_BYTES);
        if packs {
            transaction
                .prepare_cached("DELETE FROM blocks WHERE first_offset >= ?1")?
                .execute([number::signed(tail_first)])?;
            self.tail.append(&staged.lines);
        }
        let result = (|| {
            let (lines, first) = if packs {
                (&self.tail, tail_first)
            } else {
                (&staged.lines, self.meta.next_offset)
            };
            let blocks = insert_blocks(&transaction, &mut self.compressor, lines, first)?;
            if added > 0 {
                meta.last_logged = staged.logged;
            }
            for (source, epoch, sequence) in self.admission.changes() {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO sequences VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![
                        source.as_str(),
                        epoch.as_str(),
                        number::signed(sequence.last()),
                        sequence.holes_text()
                    ])?;
            }
            for (name, next) in &staged.consumers {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO consumers VALUES (?1, ?2)")?
                    .execute(params![name, number::signed(*next)])?;
            }
            put_dead_letters(&transaction, staged, &mut meta)?;
            let changed = transaction
                .prepare_cached(
                    "UPDATE meta SET next_offset = ?1, last_logged = ?2, dead_letters = ?3, dead_letter_bytes = ?4
                     WHERE id = 1 AND next_offset = ?5",
                )?
                .execute(params![
                    number::signed(meta.next_offset),
                    meta.last_logged.as_millis(),
                    number::signed(meta.dead_letters),
                    number::signed(meta.dead_letter_bytes),
                    number::signed(self.meta.next_offset)
                ])?;
            if changed != 1 {
                return Err(WriteFault::Broken("another process wrote to it".to_owned()));
            }
            transaction.commit()?;
            Ok(blocks)
        })();
        let blocks = match result {
            Ok(blocks) => blocks,
            Err(fault) => {
                if packs {
                    self.tail.keep_first(self.tail.count() - added);
                }
                return Err(fault);
            }
        };
        if !packs {
            self.tail.append(&staged.lines);
        }
        self.tail
            .keep_last(blocks.unpacked.unwrap_or(self.tail.count()));
        self.admission.keep();
        self.meta = meta;
        self.consumers.append(&mut staged.consumers);
        self.wal_pages += 8 + blocks.bytes / PAGE + 2 * blocks.count;
        Ok(blocks.bytes)
    }

    /// Removes the oldest blocks that may go, as many as one step may take. Returns how much went and the oldest offset now.
    pub(super) fn trim(&mut self, retention: &Retention) -> Result<(Trimmed, u64), WriteFault> {
        let floor = self
            .consumers
            .values()
            .copied()
            .min()
            .unwrap_or(u64::MAX)
            .min(self.meta.next_offset);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut events = 0;
        let mut blocks = 0;
        let mut oldest = self.meta.next_offset;
        loop {
            let candidate = transaction
                .prepare_cached(
                    "SELECT first_offset, count, logged_max, length(body) FROM blocks ORDER BY first_offset LIMIT 1",
                )?
                .query_map([], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        number::unsigned(row.get(1)?),
                        row.get::<_, i64>(2)?,
                        number::unsigned(row.get(3)?),
                    ))
                })?
                .next()
                .transpose()?;
            let Some((first, count, logged, bytes)) = candidate else {
                break;
            };
            oldest = number::unsigned(first);
            if blocks >= TRIM_BLOCKS || oldest.saturating_add(count) > floor {
                break;
            }
            let aged = retention
                .before
                .is_some_and(|before| logged < before.as_millis());
            let oversized = match retention.max_bytes {
                Some(max) if !aged => used_bytes(&transaction)? > max,
                _ => false,
            };
            if !aged && !oversized {
                break;
            }
            transaction
                .prepare_cached("DELETE FROM blocks WHERE first_offset = ?1")?
                .execute([first])?;
            events += count;
            blocks += 1;
            self.wal_pages += 2 + bytes / PAGE;
            oldest = self.meta.next_offset;
        }
        if blocks > 0 {
            transaction.commit()?;
        } else {
            drop(transaction);
        }
        let kept = self.meta.next_offset - oldest;
        if kept < self.tail.count() as u64 {
            self.tail
                .keep_last(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        let trimmed = Trimmed {
            events,
            done: blocks < TRIM_BLOCKS,
        };
        Ok((trimmed, oldest))
    }

    /// Gives some free pages back to the file system. Returns whether there are more to give.
    pub(super) fn vacuum(&mut self) -> Result<bool, WriteFault> {
        let free: i64 = self
            .connection
            .pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let pages = (free - SPARE_PAGES).min(VACUUM_PAGES);
        if pages <= 0 {
            return Ok(false);
        }
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        // each step frees one page
        while rows.next()?.is_some() {}
        self.wal_pages += 2 * number::unsigned(pages);
        Ok(free - SPARE_PAGES > pages)
    }

    /// Moves the write-ahead log into the file if it has become large.
    pub(super) fn checkpoint_if_due(&mut self) -> Result<(), WriteFault> {
        if self.wal_pages < self.checkpoint_at {
            return Ok(());
        }
        let (logged, moved): (i64, i64) =
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                    Ok((row.get(1)?, row.get(2)?))
                })?;
        // a reader may hold some of it back: then wait for as much again
        self.wal_pages = number::unsigned(logged - moved);
        self.checkpoint_at = self.wal_pages + CHECKPOINT_PAGES;
        Ok(())
    }

    /// Moves all of the write-ahead log into the file.
    pub(super) fn checkpoint(&self) -> Result<(), WriteFault> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            warn!(
                "a reader holds the event log's write-ahead log back, the next start takes it in"
            );
        }
        Ok(())
    }
}

#[derive(Default)]
struct Blocks {
    count: u64,
    bytes: u64,
    /// Lines of the last block if it is not packed and follows a packed one, 0 if all are packed.
    unpacked: Option<usize>,
}

fn insert_blocks(
    transaction: &Transaction<'_>,
    compressor: &mut Compressor<'_>,
    lines: &Lines,
    first: u64,
) -> Result<Blocks, WriteFault> {
    let mut blocks = Blocks::default();
    let mut offset = first;
    for part in lines.parts() {
        let body = compressor.compress(part.bytes)?;
        transaction
            .prepare_cached("INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                number::signed(offset),
                number::signed(part.count as u64),
                part.span.logged.0,
                part.span.logged.1,
                part.span.time.0,
                part.span.time.1,
                body
            ])?;
        offset += part.count as u64;
        blocks.count += 1;
        blocks.bytes += body.len() as u64;
        if part.is_packed() {
            blocks.unpacked = Some(0);
        } else if blocks.unpacked.is_some() {
            blocks.unpacked = Some(part.count);
        }
    }
    Ok(blocks)
}

fn put_dead_letters(
    transaction: &Transaction<'_>,
    staged: &Staged,
    meta: &mut Meta,
) -> Result<(), WriteFault> {
    for letter in &staged.letters {
        let inserted = transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                number::signed(letter.partition as u64),
                number::signed(letter.offset),
                letter.field.as_deref().unwrap_or_default(),
                letter.time.as_millis(),
                letter.reason,
                letter.message,
                letter.bytes
            ])?;
        if inserted > 0 {
            meta.dead_letters += 1;
            meta.dead_letter_bytes += letter.bytes.len() as u64;
        }
    }
    let mut dropped = 0_u64;
    while meta.dead_letters > MAX_DEAD_LETTERS || meta.dead_letter_bytes > MAX_DEAD_LETTER_BYTES {
        let oldest = transaction
            .prepare_cached(
                "DELETE FROM dead_letters WHERE rowid = (
                     SELECT rowid FROM dead_letters ORDER BY partition, offset, field LIMIT 1
                 ) RETURNING length(bytes)",
            )?
            .query_map([], |row| row.get::<_, i64>(0))?
            .next()
            .transpose()?;
        let Some(bytes) = oldest else {
            break;
        };
        meta.dead_letters = meta.dead_letters.saturating_sub(1);
        meta.dead_letter_bytes = meta
            .dead_letter_bytes
            .saturating_sub(number::unsigned(bytes));
        dropped += 1;
    }
    if dropped > 0 {
        warn!(
            dropped,
            limit = MAX_DEAD_LETTERS,
            "too many dead letters, the oldest were dropped"
        );
    }
    Ok(())
}

/// Reads the last blocks that are not packed yet.
fn load_tail(connection: &Connection, next_offset: u64, path: &Path) -> Result<Lines, OpenError> {
    let failed = open::failed(path);
    let mut blocks = Vec::new();
    let mut end = next_offset;
    let mut events = 0;
    let mut statement = connection
        .prepare(
            "SELECT first_offset, count, logged_min, logged_max, time_min, time_max, body FROM blocks
             ORDER BY first_offset DESC",
        )
        .map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let read = || -> rusqlite::Result<(u64, usize, Span, Vec<u8>)> {
            Ok((
                number::unsigned(row.get(0)?),
                usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                Span {
                    logged: (row.get(2)?, row.get(3)?),
                    time: (row.get(4)?, row.get(5)?),
                },
                row.get(6)?,
            ))
        };
        let (first, count, span, body) = read().map_err(&failed)?;
        let block_end = first.saturating_add(count as u64);
        if block_end > next_offset {
            return Err(open::corrupt(
                path,
                format!(
                    "its last event has offset {}, but the next is to have {next_offset}",
                    block_end - 1
                ),
            ));
        }
        events += count;
        if count == 0 || events >= PACKED || block_end != end {
            break;
        }
        let mut decompressor = Decompressor::new().map_err(|e| OpenError::Failed {
            path: path.to_path_buf(),
            cause: e.to_string(),
        })?;
        // a damaged block stays as it is, so that its bytes remain for whoever can read them
        let Ok(text) = block::decompress(&mut decompressor, &body) else {
            break;
        };
        blocks.push((text, count, span));
        end = first;
    }
    let mut tail = Lines::default();
    for (text, count, span) in blocks.into_iter().rev() {
        if !tail.read_back(&text, count, span) {
            tail.clear();
        }
    }
    Ok(tail)
}
