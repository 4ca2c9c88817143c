//! Dead letters, and their bound.

use rusqlite::{Transaction, params};
use tracing::warn;

use super::{fault::WriteFault, number, store::Meta};
use crate::DeadLetter;

/// Most dead letters that are kept; the oldest go first.
const MAX_DEAD_LETTERS: u64 = 100_000;
/// Most bytes of dead letters that are kept.
const MAX_DEAD_LETTER_BYTES: u64 = 256 * 1024 * 1024;

/// Adds what is not there yet; what is beyond the bound goes, the oldest first.
pub(super) fn put(
    transaction: &Transaction<'_>,
    letters: &[DeadLetter],
    meta: &mut Meta,
) -> Result<(), WriteFault> {
    for letter in letters {
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
