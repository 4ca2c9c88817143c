//! Whether the file holds what it says.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    codec::Head,
    error::Fault,
    key,
    load::count,
    state::{Entity, State, Totals},
};
use crate::Selection;

/// Most problems that are told one by one.
const MOST: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Chunks that were read.
    pub chunks: u64,
    /// Points in them.
    pub points: u64,
    /// Values in them.
    pub samples: u64,
    /// What does not hold, the first hundred.
    pub problems: Vec<String>,
}

impl Report {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < MOST {
            self.problems.push(problem);
        }
    }
}

/// Entities by their numbers.
pub(super) fn take(state: &State) -> HashMap<i64, Entity> {
    state
        .select(&Selection::default())
        .into_iter()
        .map(|entity| (entity.id, entity.clone()))
        .collect()
}

/// Reads every chunk.
pub(super) fn read(conn: &Connection, entities: &HashMap<i64, Entity>) -> Result<Report, Fault> {
    let mut report = Report::default();
    let mut pages = conn.prepare("PRAGMA quick_check(20)")?;
    let mut pages = pages.query([])?;
    while let Some(row) = pages.next()? {
        let told: String = row.get(0)?;
        if told != "ok" {
            report.problem(told);
        }
    }
    let mut rows =
        conn.prepare("SELECT id, last_time, points, samples, head, body FROM chunks ORDER BY id")?;
    let mut rows = rows.query([])?;
    let mut before: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let last: i64 = row.get(1)?;
        let number = key::entity(id);
        let first = key::time(id);
        let Some(entity) = entities.get(&number) else {
            report.problem(format!(
                "chunk {id} belongs to entity {number}, which there is not"
            ));
            continue;
        };
        let name = format!("the chunk of {} that begins at {first}", entity.key);
        if before.is_some_and(|(of, end)| of == number && end >= first.as_millis()) {
            report.problem(format!("{name} overlaps the one before"));
        }
        before = Some((number, last));
        let decoded =
            Head::decode(row.get_ref(4)?.as_blob().unwrap_or_default()).and_then(|head| {
                Ok((
                    head.chunk(
                        row.get_ref(5)
                            .map_or(&[][..], |body| body.as_blob().unwrap_or_default()),
                    )?,
                    head,
                ))
            });
        match decoded {
            Ok((chunk, head)) => {
                let (points, samples) = (chunk.len() as u64, chunk.samples() as u64);
                if head.last != last
                    || head.first != first.as_millis()
                    || points != count(row, 2)?
                    || samples != count(row, 3)?
                    || samples != head.samples()
                {
                    report.problem(format!("{name} is not what its row says"));
                }
                if entity.last_time < last {
                    report.problem(format!("{name} is newer than its entity"));
                }
                report.points += points;
                report.samples += samples;
            }
            Err(corrupt) => report.problem(format!("{name} is damaged: {corrupt}")),
        }
        report.chunks += 1;
    }
    let totals = conn.query_row("SELECT points, samples FROM meta WHERE id = 1", [], |row| {
        Ok(Totals {
            points: count(row, 0)?,
            samples: count(row, 1)?,
            trimmed_before: None,
        })
    })?;
    if (totals.points, totals.samples) != (report.points, report.samples) {
        report.problem(format!(
            "table meta counts {} points and {} values, the chunks hold {} and {}",
            totals.points, totals.samples, report.points, report.samples
        ));
    }
    Ok(report)
}
