//! Newest values now, and at an instant of the past.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, params};
use schemas::{EntityKey, FieldName, Position, Timestamp};

use super::{
    chunk::Chunk,
    codec::{Corrupt, Head},
    error::Fault,
    key,
    origin::Origin,
    state::{Entity, State},
};
use crate::{EntityState, Latest, Selection, StateData};

/// What is known in memory of one entity at an instant, and what has to be looked for.
#[derive(Debug)]
struct Search {
    id: i64,
    key: EntityKey,
    origin: Option<Arc<Origin>>,
    found: BTreeMap<FieldName, Latest>,
    missing: Vec<FieldName>,
    in_memory: Vec<Arc<Chunk>>,
}

/// What a state of the past takes from memory.
#[derive(Debug)]
pub(super) struct Snapshot {
    position: Position,
    searches: Vec<Search>,
}

fn position(state: &State) -> Position {
    state.position().cloned().unwrap_or(Position::start(1))
}

/// The newest values of all.
pub(super) fn now(state: &State, selection: &Selection) -> StateData {
    StateData {
        position: position(state),
        entities: state
            .select(selection)
            .into_iter()
            .map(|entity| EntityState {
                key: entity.key.clone(),
                kind: entity.origin.kind.clone(),
                agent: entity.origin.agent.clone(),
                labels: Arc::clone(&entity.origin.labels),
                fields: known(entity, i64::MAX).collect(),
            })
            .collect(),
    }
}

fn known(entity: &Entity, at: i64) -> impl Iterator<Item = (FieldName, Latest)> + '_ {
    entity
        .fields
        .iter()
        .filter(move |field| field.time <= at)
        .map(|field| {
            let latest = Latest {
                value: field.value.clone(),
                time: Timestamp::from_millis(field.time),
            };
            (field.name.clone(), latest)
        })
}

/// Takes what is known in memory.
pub(super) fn take(state: &State, selection: &Selection, at: i64) -> Snapshot {
    let searches = state
        .select(selection)
        .into_iter()
        .map(|entity| Search {
            id: entity.id,
            key: entity.key.clone(),
            origin: (entity.last_time <= at).then(|| Arc::clone(&entity.origin)),
            found: known(entity, at).collect(),
            missing: entity
                .fields
                .iter()
                .filter(|field| field.time > at && field.first <= at)
                .map(|field| field.name.clone())
                .collect(),
            in_memory: entity.in_memory().cloned().collect(),
        })
        .collect();
    Snapshot {
        position: position(state),
        searches,
    }
}

/// Looks for the rest on disk.
pub(super) fn read(conn: &Connection, snapshot: Snapshot, at: i64) -> Result<StateData, Fault> {
    let mut entities = Vec::with_capacity(snapshot.searches.len());
    for mut search in snapshot.searches {
        if search.origin.is_none() || !search.missing.is_empty() {
            search.run(conn, at)?;
        }
        if let Some(origin) = search.origin {
            entities.push(EntityState {
                key: search.key,
                kind: origin.kind.clone(),
                agent: origin.agent.clone(),
                labels: Arc::clone(&origin.labels),
                fields: search.found,
            });
        }
    }
    Ok(StateData {
        position: snapshot.position,
        entities,
    })
}

impl Search {
    fn run(&mut self, conn: &Connection, at: i64) -> Result<(), Fault> {
        let overlay = self
            .in_memory
            .iter()
            .map(|chunk| chunk.slice(&chunk.rows_between(i64::MIN, at.saturating_add(1))))
            .fold(Chunk::default(), |whole, part| whole.merge(&part));
        // what memory has may be older than what the disk has: late points wait in memory too
        let mut origin_time = i64::MIN;
        if self.origin.is_none()
            && let (Some(time), Some(origin)) = (overlay.last(), overlay.origins.last())
        {
            origin_time = time;
            self.origin = Some(Arc::clone(origin));
        }
        let wants_origin = origin_time != i64::MIN || self.origin.is_none();
        let mut wanted = std::mem::take(&mut self.missing);
        for name in &wanted {
            if let Some(latest) = last_of(&overlay, name, at) {
                self.found.insert(name.clone(), latest);
            }
        }
        let mut rows = conn.prepare_cached(
            "SELECT id, last_time, head FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC",
        )?;
        let mut rows = rows.query(params![key::lowest(self.id), key::of(self.id, at)])?;
        let mut newest_chunk = true;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let last: i64 = row.get(1)?;
            let head = row.get_ref(2)?.as_blob().unwrap_or_default();
            let head = Head::decode(head).map_err(|corrupt| self.damaged(id, corrupt))?;
            if key::time(id).as_millis() > at {
                continue;
            }
            let mut body = None;
            if newest_chunk && wants_origin {
                let (time, origin) = self.origin_in(conn, id, &head, at, &mut body)?;
                if time > origin_time {
                    self.origin = Some(origin);
                }
            }
            newest_chunk = false;
            let mut rest = Vec::new();
            for name in wanted {
                let found = match head.column(&name) {
                    None => None,
                    Some(column) if last <= at => Some(Latest {
                        value: column.summary.last.clone(),
                        time: Timestamp::from_millis(column.last_time),
                    }),
                    Some(_) => {
                        let chunk = self.whole(conn, id, &head, &mut body)?;
                        last_of(chunk, &name, at)
                    }
                };
                match found {
                    Some(found) => {
                        let newer = self
                            .found
                            .get(&name)
                            .is_none_or(|known| found.time > known.time);
                        if newer {
                            self.found.insert(name, found);
                        }
                    }
                    None => rest.push(name),
                }
            }
            // what memory knows at or after this chunk cannot be beaten by an older one
            rest.retain(|name| {
                self.found
                    .get(name)
                    .is_none_or(|known| known.time < key::time(id))
            });
            wanted = rest;
            if wanted.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn damaged(&self, id: i64, corrupt: Corrupt) -> Fault {
        Fault::Chunk {
            entity: self.key.clone(),
            time: key::time(id),
            corrupt,
        }
    }

    fn whole<'a>(
        &self,
        conn: &Connection,
        id: i64,
        head: &Head,
        cache: &'a mut Option<Chunk>,
    ) -> Result<&'a Chunk, Fault> {
        if cache.is_none() {
            let body: Vec<u8> = conn
                .prepare_cached("SELECT body FROM chunks WHERE id = ?1")?
                .query_row([id], |row| row.get(0))?;
            *cache = Some(
                head.chunk(&body)
                    .map_err(|corrupt| self.damaged(id, corrupt))?,
            );
        }
        Ok(cache.get_or_insert_default())
    }

    fn origin_in(
        &self,
        conn: &Connection,
        id: i64,
        head: &Head,
        at: i64,
        cache: &mut Option<Chunk>,
    ) -> Result<(i64, Arc<Origin>), Fault> {
        let chunk = self.whole(conn, id, head, cache)?;
        let row = chunk
            .rows_between(i64::MIN, at.saturating_add(1))
            .end
            .saturating_sub(1);
        match (chunk.times.get(row), chunk.origins.get(row)) {
            (Some(&time), Some(origin)) => Ok((time, Arc::clone(origin))),
            _ => Err(self.damaged(id, Corrupt("the number of points"))),
        }
    }
}

/// The newest value of a field at or before an instant.
fn last_of(chunk: &Chunk, name: &FieldName, at: i64) -> Option<Latest> {
    let at = chunk.rows_between(i64::MIN, at.saturating_add(1)).end;
    let column = chunk
        .columns
        .binary_search_by(|column| column.name.cmp(name))
        .ok()
        .and_then(|index| chunk.columns.get(index))?;
    let index = column.indexes(&(0..at)).end.checked_sub(1)?;
    Some(Latest {
        value: column.values.get(index)?,
        time: Timestamp::from_millis(*chunk.times.get(column.row(index))?),
    })
}
