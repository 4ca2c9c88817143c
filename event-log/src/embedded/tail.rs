//! The last blocks of the file, as long as they are not packed.

use std::path::Path;

use rusqlite::Connection;
use zstd::bulk::Decompressor;

use super::{
    block::{self, Lines, PACKED, Span},
    number,
    open::{self, OpenError},
};

/// Reads the last blocks that are not packed yet.
pub(super) fn load(
    connection: &Connection,
    next_offset: u64,
    path: &Path,
) -> Result<Lines, OpenError> {
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
