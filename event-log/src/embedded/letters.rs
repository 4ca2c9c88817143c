//! Dead letters, and their bound.

use rusqlite::{Transaction, params};
use tracing::warn;

use super::{fault::WriteFault, number, store::Meta};
use crate::{DeadLetter, LetterId};

/// Most dead letters that are kept; the oldest go first.
const MAX_DEAD_LETTERS: u64 = 100_000;
/// Most bytes of dead letters that are kept.
const MAX_DEAD_LETTER_BYTES: u64 = 256 * 1024 * 1024;

/// What is done with a dead letter.
pub(super) enum Change {
    /// It is added unless it is there.
    Put(DeadLetter),
    /// It goes.
    Resolve(LetterId),
}

/// Makes changes in their order; what is beyond the bound goes, the oldest first.
pub(super) fn change(
    transaction: &Transaction<'_>,
    changes: &[Change],
    meta: &mut Meta,
) -> Result<(), WriteFault> {
    for change in changes {
        match change {
            Change::Put(letter) => put(transaction, letter, meta)?,
            Change::Resolve(letter) => resolve(transaction, letter, meta)?,
        }
    }
    bound(transaction, meta)
}

fn put(
    transaction: &Transaction<'_>,
    letter: &DeadLetter,
    meta: &mut Meta,
) -> Result<(), WriteFault> {
    let inserted = transaction
        .prepare_cached("INSERT OR IGNORE INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
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
    Ok(())
}

fn resolve(
    transaction: &Transaction<'_>,
    letter: &LetterId,
    meta: &mut Meta,
) -> Result<(), WriteFault> {
    let bytes = transaction
        .prepare_cached(
            "DELETE FROM dead_letters WHERE partition = ?1 AND offset = ?2 AND field = ?3
             RETURNING length(bytes)",
        )?
        .query_map(
            params![
                number::signed(letter.partition as u64),
                number::signed(letter.offset),
                letter.field.as_deref().unwrap_or_default(),
            ],
            |row| row.get::<_, i64>(0),
        )?
        .next()
        .transpose()?;
    if let Some(bytes) = bytes {
        forget(bytes, meta);
    }
    Ok(())
}

fn forget(bytes: i64, meta: &mut Meta) {
    meta.dead_letters = meta.dead_letters.saturating_sub(1);
    meta.dead_letter_bytes = meta
        .dead_letter_bytes
        .saturating_sub(number::unsigned(bytes));
}

fn bound(transaction: &Transaction<'_>, meta: &mut Meta) -> Result<(), WriteFault> {
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
        forget(bytes, meta);
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
