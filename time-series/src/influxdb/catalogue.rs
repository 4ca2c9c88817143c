//! Which fields and labels the buckets hold.

use std::collections::BTreeMap;

use schemas::{FieldName, catalog::ValueType, name::EntityType};

use super::{
    answer::{ask, text},
    schema::{self, Column},
    server::Server,
};
use crate::{QueryError, Selection};

/// Most columns of all measurements together.
const MAX_COLUMNS: usize = 200_000;

/// The columns of one measurement.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// Fields in the order of their names, each with its column and the types that shards have it in.
    pub(super) fields: BTreeMap<FieldName, Field>,
    /// Labels, each with its column.
    pub(super) labels: BTreeMap<FieldName, String>,
    /// Whether anything of ours is there.
    pub(super) origin: bool,
}

/// One field.
#[derive(Debug, Clone, Default)]
pub(super) struct Field {
    /// How the column is called.
    pub(super) column: String,
    /// The types of its values, usually one.
    pub(super) types: Vec<ValueType>,
}

impl Field {
    /// Its type, if it is one in all shards.
    pub(super) fn only_type(&self) -> Option<ValueType> {
        match *self.types.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// As what it must be read: numbers of both kinds are read as floats, which is how the server merges them; texts and flags
    /// only show up when they are asked for.
    pub(super) fn read_as(&self) -> Vec<ValueType> {
        let mut types = self.types.clone();
        if types.contains(&ValueType::Float) {
            types.retain(|of| *of != ValueType::Integer);
        }
        types
    }
}

/// All measurements of one bucket.
pub(super) type Catalogue = BTreeMap<EntityType, Columns>;

/// What the server calls a type.
pub(super) const fn cast(of: ValueType) -> &'static str {
    match of {
        ValueType::Float => "float",
        ValueType::Integer => "integer",
        ValueType::Bool => "boolean",
        ValueType::Text => "string",
    }
}

/// Reads what a bucket holds of the wanted types.
pub(super) async fn read(
    server: &Server,
    bucket: &str,
    selection: &Selection,
) -> Result<Catalogue, QueryError> {
    let mut catalogue = Catalogue::new();
    let mut count = 0;
    ask(server, bucket, "SHOW FIELD KEYS", 2, |_, table| {
        let Ok(entity_type) = EntityType::new(&table.name) else {
            return Ok(());
        };
        let wanted = (selection.entity_types.is_empty()
            || selection.entity_types.contains(&entity_type))
            && (selection.entities.is_empty()
                || selection
                    .entities
                    .iter()
                    .any(|key| key.entity_type == entity_type));
        if !wanted {
            return Ok(());
        }
        count += table.values.len();
        crate::embedded::within("fields", count, MAX_COLUMNS)?;
        let columns = catalogue.entry(entity_type).or_default();
        for row in &table.values {
            let (Some(name), Some(of)) = (text(row, 0), text(row, 1)) else {
                continue;
            };
            columns.add(name, &of);
        }
        Ok(())
    })
    .await?;
    Ok(catalogue)
}

impl Columns {
    fn add(&mut self, name: String, of: &str) {
        let of = match of {
            "float" => ValueType::Float,
            "integer" | "unsigned" => ValueType::Integer,
            "boolean" => ValueType::Bool,
            _ => ValueType::Text,
        };
        match schema::column(&name) {
            Column::Field(field) => {
                let field = self.fields.entry(field).or_default();
                field.column = name;
                if !field.types.contains(&of) {
                    field.types.push(of);
                }
            }
            Column::Label(label) => drop(self.labels.insert(label, name)),
            Column::Origin => self.origin = true,
            Column::Foreign => {}
        }
    }
}
