//! Points find their chunk on disk.
//!
//! Chunks of one entity never overlap. Points after the last chunk become a new chunk, and small ones at the end are joined
//! when enough of them have gathered; earlier points go into the chunk that covers them.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    chunk::Chunk,
    codec::{Corrupt, Head, encode},
    error::Fault,
    key,
    state::Entity,
};

/// Runs of so many chunks with up to so many points each are joined, long before a whole chunk has gathered.
const TIERS: [(i64, usize); 2] = [(64, 8), (8, 8)];

/// How what is on disk has changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    /// More points.
    pub(super) points: i64,
    /// More values.
    pub(super) samples: i64,
    /// Points that were older than the last chunk's end.
    pub(super) late: u64,
}

/// Writes chunks of one entity.
pub(super) struct Place<'a> {
    conn: &'a Connection,
    entity: &'a Entity,
    chunk_points: usize,
    change: Change,
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl<'a> Place<'a> {
    /// Brings points to disk, inside a transaction of the caller.
    pub(super) fn write(
        conn: &'a Connection,
        entity: &'a Entity,
        chunk: &Chunk,
        chunk_points: usize,
    ) -> Result<Change, Fault> {
        let mut place = Self {
            conn,
            entity,
            chunk_points,
            change: Change::default(),
        };
        let last_time: Option<i64> = conn
            .prepare_cached(
                "SELECT last_time FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(
                params![key::lowest(entity.id), key::highest(entity.id)],
                |row| row.get(0),
            )
            .optional()?;
        let late = last_time.map_or(0..0, |last| {
            chunk.rows_between(i64::MIN, last.saturating_add(1))
        });
        if late.is_empty() {
            place.append(chunk)?;
        } else {
            place.change.late = late.len() as u64;
            place.insert_late(&chunk.slice(&late))?;
            if late.end < chunk.len() {
                place.append(&chunk.slice(&(late.end..chunk.len())))?;
            }
        }
        Ok(place.change)
    }

    fn append(&mut self, chunk: &Chunk) -> Result<(), Fault> {
        let tail = self.tail()?;
        let joined = self.joined(&tail, chunk.len());
        if joined == 0 {
            return self.put(chunk);
        }
        let mut whole = Chunk::default();
        for &(id, _) in tail.iter().take(joined).rev() {
            whole = whole.merge(&self.take(id)?);
        }
        self.put(&whole.merge(chunk))
    }

    /// Chunks at the end that are not full, newest first, with their points.
    fn tail(&self) -> Result<Vec<(i64, i64)>, Fault> {
        let mut rows = self.conn.prepare_cached(
            "SELECT id, points FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 64",
        )?;
        let mut rows = rows.query(params![
            key::lowest(self.entity.id),
            key::highest(self.entity.id)
        ])?;
        let mut tail = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, points): (i64, i64) = (row.get(0)?, row.get(1)?);
            if points >= signed(self.chunk_points) {
                break;
            }
            tail.push((id, points));
        }
        Ok(tail)
    }

    /// How many chunks of the tail become one with the points that come.
    fn joined(&self, tail: &[(i64, i64)], points: usize) -> usize {
        let total: i64 = tail.iter().map(|(_, points)| points).sum();
        if !tail.is_empty() && total + signed(points) >= signed(self.chunk_points) {
            return tail.len();
        }
        for (most, count) in TIERS {
            let run = tail
                .iter()
                .take_while(|(_, points)| *points <= most)
                .count();
            if signed(points) <= most && run + 1 >= count {
                return run;
            }
        }
        0
    }

    fn insert_late(&mut self, late: &Chunk) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(&time) = late.times.get(at) {
            let cover = self.neighbour(
                "SELECT id, points FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
                key::lowest(self.entity.id),
                key::of(self.entity.id, time),
            )?;
            let next = self.neighbour(
                "SELECT id, points FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
                key::of(self.entity.id, time) + 1,
                key::highest(self.entity.id),
            )?;
            let end = next.map_or(late.len(), |(id, _)| {
                late.rows_between(i64::MIN, key::time(id).as_millis()).end
            });
            let part = late.slice(&(at..end));
            match (cover, next) {
                (Some((id, _)), _) => {
                    let whole = self.take(id)?.merge(&part);
                    self.put(&whole)?;
                }
                (None, Some((id, points))) if points < signed(self.chunk_points) => {
                    let whole = self.take(id)?.merge(&part);
                    self.put(&whole)?;
                }
                (None, _) => self.put(&part)?,
            }
            at = end;
        }
        Ok(())
    }

    fn neighbour(&self, sql: &str, low: i64, high: i64) -> Result<Option<(i64, i64)>, Fault> {
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row(params![low, high], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    /// Reads a chunk and removes it.
    fn take(&mut self, id: i64) -> Result<Chunk, Fault> {
        let chunk = read(self.conn, self.entity, id)?;
        self.conn
            .prepare_cached("DELETE FROM chunks WHERE id = ?1")?
            .execute([id])?;
        self.change.points -= signed(chunk.len());
        self.change.samples -= signed(chunk.samples());
        Ok(chunk)
    }

    /// Writes points that no chunk on disk overlaps.
    fn put(&mut self, chunk: &Chunk) -> Result<(), Fault> {
        for rows in pieces(chunk.len(), self.chunk_points) {
            if rows.len() == chunk.len() {
                self.put_one(chunk)?;
            } else {
                self.put_one(&chunk.slice(&rows))?;
            }
        }
        Ok(())
    }

    fn put_one(&mut self, chunk: &Chunk) -> Result<(), Fault> {
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else {
            return Ok(());
        };
        let encoded = encode(chunk);
        self.conn
            .prepare_cached("INSERT INTO chunks (id, last_time, points, samples, head, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![
                key::of(self.entity.id, first),
                last,
                signed(chunk.len()),
                signed(chunk.samples()),
                encoded.head,
                encoded.body
            ])?;
        self.change.points += signed(chunk.len());
        self.change.samples += signed(chunk.samples());
        Ok(())
    }
}

/// Equal parts of at least `size` rows, or all of them.
fn pieces(rows: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (rows / size.max(1)).max(1);
    (0..count).map(move |piece| rows * piece / count..rows * (piece + 1) / count)
}

/// Reads a whole chunk.
pub(super) fn read(conn: &Connection, entity: &Entity, id: i64) -> Result<Chunk, Fault> {
    let (head, body): (Vec<u8>, Vec<u8>) = conn
        .prepare_cached("SELECT head, body FROM chunks WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    decode(&head, &body).map_err(|corrupt| Fault::Chunk {
        entity: entity.key.clone(),
        time: key::time(id),
        corrupt,
    })
}

fn decode(head: &[u8], body: &[u8]) -> Result<Chunk, Corrupt> {
    Head::decode(head)?.chunk(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_and_are_not_small() {
        for rows in [1, 239, 1920, 3839, 3840, 200_000] {
            let pieces: Vec<_> = pieces(rows, 1920).collect();
            assert_eq!(pieces.first().unwrap().start, 0);
            assert_eq!(pieces.last().unwrap().end, rows);
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(pieces.iter().all(|piece| piece.len() < 2 * 1920));
            assert!(rows < 1920 || pieces.iter().all(|piece| piece.len() >= 1920));
        }
    }
}
