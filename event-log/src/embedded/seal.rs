//! Checksums of rows that nothing else would show to be damaged. A sequence that goes back gives an id twice, and a consumer
//! that goes ahead loses what it has not read: SQLite reads both without a word.

use rusqlite::{Connection, params};

use super::number;

/// CRC-32 of the parts of a row, each with its length.
fn crc(parts: &[&[u8]]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    i64::from(hasher.finalize())
}

/// Of what the log knows of one writer.
pub(super) fn of_sequence(source: &str, epoch: &str, last: i64, holes: &str) -> i64 {
    crc(&[
        source.as_bytes(),
        epoch.as_bytes(),
        &last.to_le_bytes(),
        holes.as_bytes(),
    ])
}

/// Of how far a consumer is.
pub(super) fn of_consumer(name: &str, next: i64) -> i64 {
    crc(&[name.as_bytes(), &next.to_le_bytes()])
}

/// Seals the rows of a file of version 1, which had no checksums.
pub(super) fn add(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "ALTER TABLE sequences ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE consumers ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE meta ADD COLUMN sequences INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE meta ADD COLUMN consumers INTEGER NOT NULL DEFAULT 0;",
    )?;
    let sequences: Vec<(String, String, i64, String)> = transaction
        .prepare("SELECT source, epoch, last_seq, holes FROM sequences")?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (source, epoch, last, holes) in &sequences {
        transaction
            .prepare_cached("UPDATE sequences SET crc = ?3 WHERE source = ?1 AND epoch = ?2")?
            .execute(params![
                source,
                epoch,
                of_sequence(source, epoch, *last, holes)
            ])?;
    }
    let consumers: Vec<(String, i64)> = transaction
        .prepare("SELECT name, next_offset FROM consumers")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, next) in &consumers {
        transaction
            .prepare_cached("UPDATE consumers SET crc = ?2 WHERE name = ?1")?
            .execute(params![name, of_consumer(name, *next)])?;
    }
    transaction.execute(
        "UPDATE meta SET sequences = ?1, consumers = ?2",
        params![
            number::signed(sequences.len() as u64),
            number::signed(consumers.len() as u64)
        ],
    )?;
    transaction.pragma_update(None, "user_version", 2)?;
    transaction.commit()
}
