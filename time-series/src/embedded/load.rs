//! What is read from a file when it is opened.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, Row};
use schemas::{
    EntityKey, FieldName, FieldValue, Labels, Position,
    catalog::ValueType,
    name::{AgentName, EntityType, SourceKind},
};
use serde::{Deserialize, Serialize};

use super::{
    error::Fault,
    origin::Origin,
    state::{Entity, Field, Stored, Totals},
};

/// A field in its row.
#[derive(Serialize, Deserialize)]
struct StoredField {
    value: FieldValue,
    time: i64,
    first: i64,
}

/// Fields of an entity as JSON.
pub(super) fn fields_to_json(fields: &[Field]) -> String {
    let map: BTreeMap<&str, StoredField> = fields
        .iter()
        .map(|field| {
            (
                field.name.as_str(),
                StoredField {
                    value: field.value.clone(),
                    time: field.time,
                    first: field.first,
                },
            )
        })
        .collect();
    serde_json::to_string(&map).unwrap_or_default()
}

/// Labels as JSON.
pub(super) fn labels_to_json(labels: &Labels) -> String {
    serde_json::to_string(labels).unwrap_or_default()
}

/// Name of a type as it stands in its row.
fn value_type(text: &str) -> Option<ValueType> {
    [
        ValueType::Float,
        ValueType::Integer,
        ValueType::Bool,
        ValueType::Text,
    ]
    .into_iter()
    .find(|value| value.as_str() == text)
}

/// Reads all but the chunks, inside a transaction of the caller.
pub(super) fn load(tx: &Connection) -> Result<Stored, Fault> {
    let (position, generation, totals) = tx.query_row(
        "SELECT position, generation, points, samples, trimmed_before FROM meta WHERE id = 1",
        [],
        |row| {
            Ok((
                row.get::<_, Option<String>>(0)?,
                row.get(1)?,
                Totals {
                    points: count(row, 2)?,
                    samples: count(row, 3)?,
                    trimmed_before: row.get(4)?,
                },
            ))
        },
    )?;
    let position = position
        .map(|text| {
            text.parse::<Position>()
                .map_err(|_| Fault::Row("the log position in table meta is none".to_owned()))
        })
        .transpose()?;
    let mut entities = Vec::new();
    let mut rows = tx.prepare(
        "SELECT id, key, kind, agent, labels, last_time, fields FROM entities ORDER BY id",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let entity = entity(id, row)
            .map_err(|cause| Fault::Row(format!("row {id} of table entities: {cause}")))?;
        entities.push(entity);
    }
    let mut types = BTreeMap::new();
    let mut rows = tx.prepare("SELECT entity_type, field, value_type FROM field_types")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(2)?.as_str().unwrap_or_default();
        let field = (|| {
            let entity_type = EntityType::new(row.get_ref(0).ok()?.as_str().ok()?).ok()?;
            let name = FieldName::new(row.get_ref(1).ok()?.as_str().ok()?).ok()?;
            Some(((entity_type, name), value_type(text)?))
        })();
        let (of, value) =
            field.ok_or_else(|| Fault::Row("a row of table field_types".to_owned()))?;
        types.insert(of, value);
    }
    Ok(Stored {
        entities,
        types,
        position,
        generation,
        totals,
    })
}

/// A count in a row; never below zero.
pub(super) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0))
}

fn entity(id: i64, row: &Row<'_>) -> Result<Entity, Box<dyn std::error::Error>> {
    let key: EntityKey = row.get_ref(1)?.as_str()?.parse()?;
    let kind = SourceKind::new(row.get_ref(2)?.as_str()?)?;
    let agent = row
        .get_ref(3)?
        .as_str_or_null()?
        .map(AgentName::new)
        .transpose()?;
    let labels: Labels = serde_json::from_str(row.get_ref(4)?.as_str()?)?;
    let fields: BTreeMap<FieldName, StoredField> = serde_json::from_str(row.get_ref(6)?.as_str()?)?;
    let origin = Arc::new(Origin {
        kind,
        agent,
        labels: Arc::new(labels),
    });
    let fields = fields
        .into_iter()
        .map(|(name, field)| Field {
            name,
            value: field.value,
            time: field.time,
            first: field.first,
        })
        .collect();
    Ok(Entity::stored(id, key, origin, row.get(5)?, fields))
}
