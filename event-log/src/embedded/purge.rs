//! Taking the events of one source out of blocks: the line of each keeps the time it was logged at and nothing else.

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use schemas::{Purge, SourceName, codec};
use tracing::warn;
use zstd::bulk::Decompressor;

use super::{
    block::{self, Lines},
    fault::WriteFault,
    number, open,
    store::{PAGE, Store},
};
use crate::record::names;

/// Blocks that one step looks into: appends wait for it.
const STEP_BLOCKS: usize = 64;
/// A file up to this size is rewritten in memory, in bytes; a larger one needs room beside it.
const IN_MEMORY: u64 = 128 * 1024 * 1024;

/// Which events are to go.
#[derive(Debug)]
pub(super) struct Target {
    source: SourceName,
    /// The source as it stands in JSON, to pass over what does not name it.
    name: String,
    /// Only events before this offset.
    before: u64,
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) events: u64,
    /// Where the next step begins; none if all is done.
    pub(super) next: Option<u64>,
}

impl Target {
    pub(super) fn new(source: &SourceName, before: u64) -> Self {
        Self {
            name: format!("\"{source}\""),
            source: source.clone(),
            before,
        }
    }

    /// Whether some bytes may hold what is to go.
    fn may_be_in(&self, bytes: &[u8]) -> bool {
        // what is no text is looked at line by line
        str::from_utf8(bytes).map_or(true, |text| text.contains(&self.name))
    }

    fn takes(&self, line: &[u8], offset: u64) -> bool {
        if offset >= self.before || !self.may_be_in(line) {
            return false;
        }
        let Some(json) = block::json(line) else {
            return false;
        };
        match codec::decode(json) {
            Ok(event) => event.source == self.source && !Purge::is(&event),
            Err(_) => names(json, &self.source),
        }
    }

    /// The lines without what is to go, and how many those are; none if there is nothing. `first` is the offset of the first.
    fn purge(&self, text: &[u8], first: u64) -> Option<(Vec<u8>, u64)> {
        if !self.may_be_in(text) {
            return None;
        }
        let mut left = Vec::with_capacity(text.len());
        let mut gone = 0;
        for (line, offset) in block::lines(text).zip(first..) {
            if self.takes(line, offset) {
                gone += 1;
                left.extend_from_slice(block::tombstone(line));
            } else {
                left.extend_from_slice(line);
            }
            left.push(b'\n');
        }
        (gone > 0).then_some((left, gone))
    }

    /// The same for lines that wait to be packed.
    fn purge_lines(&self, lines: &mut Lines, first: u64) {
        if self.may_be_in(lines.all()) {
            lines.replace(|line, index| {
                self.takes(line, first + index as u64)
                    .then(|| block::tombstone(line).len())
            });
        }
    }
}

impl Store {
    /// Takes one step from an offset on.
    pub(super) fn purge(&mut self, target: &Target, from: u64) -> Result<Step, WriteFault> {
        self.overwrite_what_was_freed()?;
        // what stays in memory would be written again when it is packed
        let tail_first = self.meta.next_offset - self.tail.count() as u64;
        target.purge_lines(&mut self.tail, tail_first);
        let mut decompressor = Decompressor::new()?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let blocks: Vec<(i64, u64)> = transaction
            .prepare_cached(
                "SELECT first_offset, count FROM blocks WHERE first_offset >= ?1 AND first_offset < ?2
                 ORDER BY first_offset LIMIT ?3",
            )?
            .query_map(
                params![
                    number::signed(from),
                    number::signed(target.before),
                    number::signed(STEP_BLOCKS as u64)
                ],
                |row| Ok((row.get(0)?, number::unsigned(row.get(1)?))),
            )?
            .collect::<rusqlite::Result<_>>()?;
        let mut events = 0;
        let mut pages = 0;
        for &(first, count) in &blocks {
            let body: Vec<u8> = transaction
                .prepare_cached("SELECT body FROM blocks WHERE first_offset = ?1")?
                .query_row([first], |row| row.get(0))?;
            let text = match block::decompress(&mut decompressor, &body) {
                Ok(text) if block::lines(&text).count() as u64 == count => text,
                _ => {
                    warn!(
                        first_offset = first,
                        "a damaged block cannot be looked into and stays as it is"
                    );
                    continue;
                }
            };
            let Some((left, gone)) = target.purge(&text, number::unsigned(first)) else {
                continue;
            };
            let body = self.compressor.compress(&left)?;
            transaction
                .prepare_cached("UPDATE blocks SET body = ?2 WHERE first_offset = ?1")?
                .execute(params![first, body])?;
            events += gone;
            pages += 2 + text.len() as u64 / PAGE;
        }
        if events > 0 {
            transaction.commit()?;
            self.wal_pages += pages;
        } else {
            drop(transaction);
        }
        let next = blocks
            .last()
            .filter(|_| blocks.len() >= STEP_BLOCKS)
            .map(|&(first, _)| number::unsigned(first) + 1);
        if next.is_none() {
            // what the write-ahead log held of the events goes with it
            self.checkpoint()?;
        }
        Ok(Step { events, next })
    }

    /// Earlier releases did not overwrite what they freed: such a file is rewritten once, before anything is purged in it.
    fn overwrite_what_was_freed(&mut self) -> Result<(), WriteFault> {
        if open::is_current(&self.connection)? {
            return Ok(());
        }
        let value = |name: &str| -> rusqlite::Result<i64> {
            self.connection
                .pragma_query_value(None, name, |row| row.get(0))
        };
        let pages = number::unsigned(value("page_count")?);
        rewrite(&self.connection, pages * PAGE)?;
        self.wal_pages += pages;
        open::make_current(&self.connection)?;
        Ok(())
    }
}

fn rewrite(connection: &Connection, bytes: u64) -> Result<(), WriteFault> {
    if bytes > IN_MEMORY {
        connection.execute_batch("PRAGMA temp_store = FILE;")?;
    }
    let rewritten = connection.execute_batch("VACUUM;");
    connection.execute_batch("PRAGMA temp_store = MEMORY;")?;
    rewritten.map_err(|e| {
        let code = e.sqlite_error_code();
        if let Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) = code {
            return WriteFault::Busy;
        }
        // nothing of it was done: there is no room for it, or none where temporary files are
        warn!("the event log cannot be rewritten before a purge: {e}");
        WriteFault::DiskFull
    })
}
