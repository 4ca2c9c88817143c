//! What keeps the file small: trimming, giving room back, and moving the write-ahead log into the file.

use rusqlite::TransactionBehavior;
use tracing::warn;

use super::{
    command::Trimmed,
    fault::WriteFault,
    number,
    reader::used_bytes,
    store::{CHECKPOINT_PAGES, PAGE, Store},
};
use crate::Retention;

/// Blocks that one step of trimming removes.
const TRIM_BLOCKS: usize = 256;
/// Free pages that stay in the file, so that trimming and appending do not shrink and grow it in turn.
const SPARE_PAGES: i64 = 1024;
/// Free pages that one step gives back to the file system.
const VACUUM_PAGES: i64 = 512;

impl Store {
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
