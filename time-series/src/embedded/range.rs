//! History: chunk by chunk, only the columns that are asked for.

use std::sync::Arc;

use rusqlite::{Connection, params};
use schemas::{EntityKey, FieldName, Labels, Position};

use super::{
    chunk::Chunk,
    codec::{Corrupt, Head},
    error::Fault,
    key,
    sink::{Budget, Plan, Sink, within},
    state::{Entity, State},
};
use crate::{QueryError, RangeData, RangeQuery, Series};

/// An entity as a range needs it.
#[derive(Debug)]
struct Wanted {
    id: i64,
    key: EntityKey,
    labels: Arc<Labels>,
    fields: Vec<FieldName>,
    in_memory: Vec<Arc<Chunk>>,
}

/// What a range takes from memory.
#[derive(Debug)]
pub(super) struct Snapshot {
    position: Position,
    entities: Vec<Wanted>,
}

/// Takes what a range needs from memory.
///
/// # Errors
/// It is certain already that the answer would be too large.
pub(super) fn take(state: &State, query: &RangeQuery, plan: &Plan) -> Result<Snapshot, QueryError> {
    let kept_from = plan.from.max(state.disk.trimmed_before.unwrap_or(i64::MIN));
    let mut sure = 0;
    let mut entities = Vec::new();
    for entity in state.select(&query.selection) {
        let mut fields = Vec::new();
        for field in &entity.fields {
            let asked = query.fields.is_empty() || query.fields.contains(&field.name);
            if asked && field.first < plan.to && field.time >= plan.from {
                if field.time >= kept_from && field.time < plan.to {
                    sure += plan.sure_series();
                }
                fields.push(field.name.clone());
            }
        }
        if !fields.is_empty() {
            entities.push(wanted(entity, fields, plan));
        }
    }
    within("series", sure, query.max_series)?;
    if let Some(windows) = &plan.windows {
        within(
            "windows",
            sure.saturating_mul(windows.len()),
            query.max_values,
        )?;
    } else {
        within("samples", sure, query.max_values)?;
    }
    Ok(Snapshot {
        position: state.position().cloned().unwrap_or(Position::start(1)),
        entities,
    })
}

fn wanted(entity: &Entity, fields: Vec<FieldName>, plan: &Plan) -> Wanted {
    Wanted {
        id: entity.id,
        key: entity.key.clone(),
        labels: Arc::clone(&entity.origin.labels),
        fields,
        in_memory: entity
            .in_memory()
            .filter(|chunk| {
                chunk.first().is_some_and(|first| first < plan.to)
                    && chunk.last().is_some_and(|last| last >= plan.scan_from)
            })
            .cloned()
            .collect(),
    }
}

/// Answers a range.
pub(super) fn read(
    conn: &Connection,
    snapshot: Snapshot,
    query: &RangeQuery,
    plan: &Plan,
) -> Result<RangeData, Fault> {
    let mut budget = Budget::new(query);
    let mut series = Vec::new();
    for entity in snapshot.entities {
        let mut scan = Scan {
            conn,
            plan,
            budget: &mut budget,
            sinks: entity
                .fields
                .iter()
                .map(|field| Sink::new(field.clone(), plan))
                .collect(),
            entity: &entity,
        };
        scan.run()?;
        for sink in scan.sinks {
            for finished in sink.finish(plan, &mut budget)? {
                series.push(Series {
                    key: entity.key.clone(),
                    labels: Arc::clone(&entity.labels),
                    field: finished.field,
                    agg: finished.agg,
                    times: finished.times,
                    values: finished.values,
                });
            }
        }
    }
    Ok(RangeData {
        position: snapshot.position,
        tier: "raw",
        series,
    })
}

struct Scan<'a> {
    conn: &'a Connection,
    plan: &'a Plan,
    budget: &'a mut Budget,
    sinks: Vec<Sink>,
    entity: &'a Wanted,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let overlay = self.overlay();
        let mut next = 0;
        let (from, to) = (self.plan.scan_from, self.plan.to);
        let mut rows = self.conn.prepare_cached(
            "SELECT id, last_time, head FROM chunks
             WHERE id >= coalesce((SELECT max(id) FROM chunks WHERE id BETWEEN ?1 AND ?2), ?2) AND id < ?3
             ORDER BY id",
        )?;
        let mut rows = rows.query(params![
            key::lowest(self.entity.id),
            key::of(self.entity.id, from),
            key::of(self.entity.id, to),
        ])?;
        while let Some(row) = rows.next()? {
            let last_time: i64 = row.get(1)?;
            if last_time < from {
                continue;
            }
            let id: i64 = row.get(0)?;
            let head = row.get_ref(2)?.as_blob().unwrap_or_default();
            let head = Head::decode(head).map_err(|corrupt| self.damaged(id, corrupt))?;
            let before = overlay.rows_between(i64::MIN, head.first).end.max(next);
            let inside = overlay
                .rows_between(i64::MIN, head.last.saturating_add(1))
                .end
                .max(before);
            self.emit(&overlay, next..before)?;
            if before < inside {
                let body = self.body(id)?;
                let whole = head
                    .chunk(&body)
                    .map_err(|corrupt| self.damaged(id, corrupt))?
                    .merge(&overlay.slice(&(before..inside)));
                let rows = whole.rows_between(from, to);
                self.emit(&whole, rows)?;
            } else {
                self.emit_stored(id, &head)?;
            }
            next = inside;
        }
        self.emit(&overlay, next..overlay.len())
    }

    /// What is in memory of the range, as one chunk.
    fn overlay(&self) -> Chunk {
        self.entity
            .in_memory
            .iter()
            .map(|chunk| chunk.slice(&chunk.rows_between(self.plan.scan_from, self.plan.to)))
            .fold(Chunk::default(), |whole, part| whole.merge(&part))
    }

    fn damaged(&self, id: i64, corrupt: Corrupt) -> Fault {
        Fault::Chunk {
            entity: self.entity.key.clone(),
            time: key::time(id),
            corrupt,
        }
    }

    fn body(&self, id: i64) -> Result<Vec<u8>, Fault> {
        Ok(self
            .conn
            .prepare_cached("SELECT body FROM chunks WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?)
    }

    fn emit(&mut self, chunk: &Chunk, rows: std::ops::Range<usize>) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        for sink in &mut self.sinks {
            let column = chunk
                .columns
                .binary_search_by(|column| column.name.cmp(&sink.field))
                .ok()
                .and_then(|at| chunk.columns.get(at));
            if let Some(column) = column {
                sink.add(&chunk.times, column, &rows, self.plan, self.budget)?;
            }
        }
        Ok(())
    }

    /// A chunk on disk that nothing in memory overlaps.
    fn emit_stored(&mut self, id: i64, head: &Head) -> Result<(), Fault> {
        let window = self.plan.window_over(head.first, head.last);
        let mut opened = None;
        let mut sinks = std::mem::take(&mut self.sinks);
        for sink in &mut sinks {
            let Some(column) = head.column(&sink.field) else {
                continue;
            };
            if let Some(window) = window
                && sink.absorb(column, window, self.plan, self.budget)?
            {
                continue;
            }
            if opened.is_none() {
                let body = self.body(id)?;
                let times = head
                    .check(&body)
                    .and_then(|()| head.times(&body))
                    .map_err(|corrupt| self.damaged(id, corrupt))?;
                let start = times.partition_point(|&time| time < self.plan.scan_from);
                let end = times.partition_point(|&time| time < self.plan.to);
                opened = Some((body, times, start..end.max(start)));
            }
            if let Some((body, times, rows)) = &opened {
                let column = head
                    .values(body, column)
                    .map_err(|corrupt| self.damaged(id, corrupt))?;
                sink.add(times, &column, rows, self.plan, self.budget)?;
            }
        }
        self.sinks = sinks;
        Ok(())
    }
}
