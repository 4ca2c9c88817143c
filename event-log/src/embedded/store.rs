//! What the writer knows of the file, and its transactions.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use schemas::{Epoch, Timestamp};
use zstd::bulk::Compressor;

use super::{
    block::{self, Lines, PACKED, PACKED_BYTES},
    command::Consumers,
    fault::WriteFault,
    letters, number, open,
    open::OpenError,
    reader, seal,
    staged::Staged,
    tail,
};
use crate::admission::Admission;

/// Pages in the write-ahead log from which it is moved into the file, between commits.
pub(super) const CHECKPOINT_PAGES: u64 = 1024;
/// Bytes of a page, for estimates.
pub(super) const PAGE: u64 = 4096;

/// The one row of numbers that every transaction moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) next_offset: u64,
    pub(super) last_logged: Timestamp,
    pub(super) dead_letters: u64,
    pub(super) dead_letter_bytes: u64,
}

/// The file as its one writer sees it.
pub(super) struct Store {
    pub(super) connection: Connection,
    pub(super) compressor: Compressor<'static>,
    pub(super) admission: Admission,
    pub(super) meta: Meta,
    /// The lines of the last blocks that are not packed yet.
    pub(super) tail: Lines,
    pub(super) consumers: Consumers,
    /// Estimate of the pages in the write-ahead log.
    pub(super) wal_pages: u64,
    pub(super) checkpoint_at: u64,
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
        let tail = tail::load(&connection, meta.next_offset, path)?;
        let consumers =
            reader::consumers(&connection).map_err(|fault| fault.while_opening(path))?;
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
                let (last, holes) = (number::signed(sequence.last()), sequence.holes_text());
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO sequences VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        source.as_str(),
                        epoch.as_str(),
                        last,
                        holes,
                        seal::of_sequence(source.as_str(), epoch.as_str(), last, &holes)
                    ])?;
            }
            let mut consumers = self.consumers.len();
            for (name, next) in &staged.consumers {
                let next = number::signed(*next);
                consumers += usize::from(!self.consumers.contains_key(name));
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO consumers VALUES (?1, ?2, ?3)")?
                    .execute(params![name, next, seal::of_consumer(name, next)])?;
            }
            letters::change(&transaction, &staged.letters, &mut meta)?;
            let changed = transaction
                .prepare_cached(
                    "UPDATE meta SET next_offset = ?1, last_logged = ?2, dead_letters = ?3, dead_letter_bytes = ?4,
                     sequences = ?5, consumers = ?6 WHERE id = 1 AND next_offset = ?7",
                )?
                .execute(params![
                    number::signed(meta.next_offset),
                    meta.last_logged.as_millis(),
                    number::signed(meta.dead_letters),
                    number::signed(meta.dead_letter_bytes),
                    number::signed(self.admission.count() as u64),
                    number::signed(consumers as u64),
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
