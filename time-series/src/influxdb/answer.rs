//! Answers of `/query`, chunk by chunk: never more than one chunk is in memory.

use std::{borrow::Cow, collections::BTreeMap};

use schemas::{EntityKey, FieldValue, catalog::ValueType};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    error::{About, Problem, judge, words},
    schema::{self, ID, SOURCE},
    server::{Server, unreached},
};
use crate::QueryError;

/// Longest chunk, in bytes.
const MAX_CHUNK: usize = 64 * 1024 * 1024;
/// About how many values one chunk has.
const CHUNK_VALUES: usize = 10_000;

#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    results: Vec<Statement<'a>>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Statement<'a> {
    #[serde(default, rename = "statement_id")]
    number: usize,
    #[serde(borrow, default)]
    series: Vec<Table<'a>>,
    error: Option<String>,
}

/// Some rows of one series.
#[derive(Debug, Deserialize)]
pub(super) struct Table<'a> {
    /// The measurement.
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// The rows; the first column is the time, except in answers about the schema.
    #[serde(borrow, default)]
    pub(super) values: Vec<Vec<&'a RawValue>>,
}

impl Table<'_> {
    /// The entity that the rows are of; none if nobody of us wrote it.
    pub(super) fn entity(&self) -> Option<EntityKey> {
        schema::entity(&self.name, self.tags.get(SOURCE)?, self.tags.get(ID)?)
    }
}

/// The cell's text; none if it is null or missing.
fn cell<'a>(row: &[&'a RawValue], at: usize) -> Option<&'a str> {
    row.get(at)
        .map(|raw| raw.get())
        .filter(|raw| *raw != "null")
}

/// A whole number, exactly.
pub(super) fn integer(row: &[&RawValue], at: usize) -> Option<i64> {
    cell(row, at)?.parse().ok()
}

/// A text.
pub(super) fn text(row: &[&RawValue], at: usize) -> Option<String> {
    serde_json::from_str(cell(row, at)?).ok()
}

/// A value of a field, to the bit: the answer writes 3 for the float 3.0, so its type must be known.
pub(super) fn value(row: &[&RawValue], at: usize, of: ValueType) -> Option<FieldValue> {
    let raw = cell(row, at)?;
    match of {
        ValueType::Float => FieldValue::float(raw.parse().ok()?).ok(),
        ValueType::Integer => match raw.parse() {
            Ok(value) => Some(FieldValue::I64(value)),
            Err(_) => raw.parse().ok().map(FieldValue::unsigned),
        },
        ValueType::Bool => raw.parse().ok().map(FieldValue::Bool),
        ValueType::Text => {
            let text: String = serde_json::from_str(raw).ok()?;
            Some(FieldValue::Text(text.into()))
        }
    }
}

/// Asks statements and hands over each table with the number of its statement. `columns` is how many the rows have.
pub(super) async fn ask(
    server: &Server,
    bucket: &str,
    statements: &str,
    columns: usize,
    mut take: impl FnMut(usize, &Table<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let told = |problem: &Problem| problem.to_query(server.name());
    let rows = (CHUNK_VALUES / columns.max(1)).clamp(20, 5000);
    let mut response = server
        .query(bucket, statements, rows)
        .await
        .map_err(|problem| told(&problem))?;
    let mut buffer: Vec<u8> = Vec::new();
    let mut read = |line: &[u8]| -> Result<(), QueryError> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(line).map_err(|e| {
            told(&Problem::transient(format!(
                "its answer cannot be read: {e}"
            )))
        })?;
        let refused = |error: &str| {
            let about = About {
                org: &server.org,
                bucket,
            };
            if error.contains("not found") {
                told(&judge(404, error.as_bytes(), None, about))
            } else {
                told(&Problem::Refused(words(error.as_bytes())))
            }
        };
        if let Some(error) = chunk.error {
            return Err(refused(&error));
        }
        for statement in chunk.results {
            if let Some(error) = statement.error {
                return Err(refused(&error));
            }
            for table in &statement.series {
                take(statement.number, table)?;
            }
        }
        Ok(())
    };
    while let Some(part) = response.chunk().await.map_err(|e| told(&unreached(&e)))? {
        let mut part = &part[..];
        while let Some(end) = part.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = part.split_at(end + 1);
            if buffer.is_empty() {
                read(line)?;
            } else {
                buffer.extend_from_slice(line);
                read(&buffer)?;
                buffer.clear();
            }
            part = rest;
        }
        if buffer.len() + part.len() > MAX_CHUNK {
            return Err(told(&Problem::transient(format!(
                "a part of its answer is longer than {MAX_CHUNK} bytes"
            ))));
        }
        buffer.extend_from_slice(part);
    }
    read(&buffer)
}
