//! The newest values of every field, and who observed an entity, up to some time: from the bucket of raw points and from the one
//! that keeps what has fallen silent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use schemas::{EntityKey, FieldName, Labels, Timestamp, catalog::ValueType, name::EntityType};

use super::{
    answer::{Table, ask, integer, text, value},
    catalogue::{Catalogue, Columns, Field, cast},
    influxql::{self, BY_ENTITY, MAX_NAMED, Span},
    schema::{self, ORIGIN, Origin},
    server::Server,
};
use crate::{EntityState, Latest, QueryError, Selection, embedded::within};

/// Most values of one answer.
const MAX_VALUES: usize = 1_000_000;
/// Two hours: what has no value in so long is silent.
const RECENT_MS: i64 = 2 * 60 * 60 * 1000;
/// So many statements go in one request.
const STATEMENTS: usize = 50;

/// What is known of one entity.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Who observed it last, and when.
    pub(super) origin: Option<(i64, Origin)>,
    /// The newest values.
    pub(super) fields: BTreeMap<FieldName, Latest>,
}

/// By entity.
pub(super) type All = BTreeMap<EntityKey, Known>;

/// What is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) server: &'a Server,
    pub(super) bucket: &'a str,
    pub(super) selection: &'a Selection,
    pub(super) span: Span,
}

/// What one statement asks for.
enum Asked<'a> {
    Origin(&'a Columns),
    Field(&'a FieldName, ValueType),
}

/// One question to all entities of a type, and who has answered.
struct Question<'a> {
    of: &'a EntityType,
    select: String,
    /// Behind the conditions.
    tail: &'static str,
    columns: usize,
    asked: Asked<'a>,
    answered: BTreeSet<EntityKey>,
}

impl<'a> Question<'a> {
    fn origin(of: &'a EntityType, columns: &'a Columns) -> Self {
        let mut select = format!("last({})", influxql::identifier(ORIGIN));
        for label in columns.labels.values() {
            select.push_str(", ");
            select.push_str(&influxql::identifier(label));
        }
        Self {
            of,
            select,
            tail: "",
            columns: columns.labels.len() + 2,
            asked: Asked::Origin(columns),
            answered: BTreeSet::new(),
        }
    }

    fn field(of: &'a EntityType, name: &'a FieldName, field: &Field, value: ValueType) -> Self {
        let column = influxql::identifier(&field.column);
        let (select, tail) = if field.types.len() == 1 {
            (format!("last({column})"), "")
        } else {
            let select = format!("{column}::{}", cast(value));
            (select, " ORDER BY time DESC LIMIT 1")
        };
        Self {
            of,
            select,
            tail,
            columns: 2,
            asked: Asked::Field(name, value),
            answered: BTreeSet::new(),
        }
    }

    fn statement(&self, selection: &Selection, span: Span) -> String {
        format!(
            "SELECT {} FROM {}{}{BY_ENTITY}{}",
            self.select,
            influxql::identifier(self.of.as_str()),
            influxql::conditions(selection, self.of, span),
            self.tail,
        )
    }
}

impl Past<'_> {
    /// Adds what a bucket knows; of two the newer counts, at the same time the one that was there.
    ///
    /// The newest value of a series is dear to find in many shards, and most series have a recent one: those are asked for first,
    /// and only what has none, for all that was.
    pub(super) async fn read(
        &self,
        catalogue: &Catalogue,
        with_fields: bool,
        all: &mut All,
    ) -> Result<(), QueryError> {
        let mut questions = Vec::new();
        for (of, columns) in catalogue {
            if columns.origin {
                questions.push(Question::origin(of, columns));
            }
            if with_fields {
                for (name, field) in &columns.fields {
                    let types = field.read_as().into_iter();
                    questions.extend(types.map(|value| Question::field(of, name, field, value)));
                }
            }
        }
        let entities = self.entities(catalogue).await?;
        let mut values = 0;
        let recent = self.span.end(RECENT_MS);
        let first = questions
            .iter()
            .map(|question| Some(question.statement(self.selection, recent)))
            .collect();
        self.ask(&mut questions, first, &mut values, all).await?;
        let rest = questions
            .iter()
            .map(|question| {
                let there = entities.get(question.of)?;
                let silent: Vec<_> = there.difference(&question.answered).cloned().collect();
                if silent.is_empty() {
                    return None;
                }
                let only = Selection {
                    entities: silent,
                    ..Selection::default()
                };
                let selection = if only.entities.len() <= MAX_NAMED {
                    &only
                } else {
                    self.selection
                };
                Some(question.statement(selection, self.span))
            })
            .collect();
        self.ask(&mut questions, rest, &mut values, all).await
    }

    /// Which entities are in the bucket, by its index.
    async fn entities(
        &self,
        catalogue: &Catalogue,
    ) -> Result<BTreeMap<EntityType, BTreeSet<EntityKey>>, QueryError> {
        let mut entities: BTreeMap<EntityType, BTreeSet<EntityKey>> = BTreeMap::new();
        let types: Vec<_> = catalogue.keys().collect();
        let mut count = 0;
        for some in types.chunks(STATEMENTS) {
            let statements: Vec<String> = some
                .iter()
                .map(|of| {
                    format!(
                        "SHOW SERIES FROM {}{}",
                        influxql::identifier(of.as_str()),
                        influxql::conditions(self.selection, of, Span::ALL),
                    )
                })
                .collect();
            let statements = statements.join(";\n");
            ask(self.server, self.bucket, &statements, 2, |_, table| {
                count += table.values.len();
                within("entities", count, MAX_VALUES)?;
                for row in &table.values {
                    let key = text(row, 0).and_then(|key| schema::series(&key));
                    if let Some(key) = key.filter(|key| self.selection.wants(key)) {
                        let of = entities.entry(key.entity_type.clone()).or_default();
                        of.insert(key);
                    }
                }
                Ok(())
            })
            .await?;
        }
        Ok(entities)
    }

    /// Asks the questions that have a statement.
    async fn ask(
        &self,
        questions: &mut [Question<'_>],
        statements: Vec<Option<String>>,
        values: &mut usize,
        all: &mut All,
    ) -> Result<(), QueryError> {
        let todo: Vec<(usize, String)> = statements
            .into_iter()
            .enumerate()
            .filter_map(|(at, statement)| Some((at, statement?)))
            .collect();
        for some in todo.chunks(STATEMENTS) {
            let statements: Vec<&str> = some.iter().map(|(_, text)| text.as_str()).collect();
            let columns = some
                .iter()
                .filter_map(|(at, _)| questions.get(*at))
                .map(|question| question.columns)
                .max();
            ask(
                self.server,
                self.bucket,
                &statements.join(";\n"),
                columns.unwrap_or(2),
                |statement, table| {
                    *values += 1;
                    within("values", *values, MAX_VALUES)?;
                    let at = some.get(statement).map(|(at, _)| *at);
                    let question = at.and_then(|at| questions.get_mut(at));
                    let key = table.entity().filter(|key| self.selection.wants(key));
                    if let (Some(question), Some(key)) = (question, key)
                        && take(&question.asked, &key, table, all)
                    {
                        question.answered.insert(key);
                    }
                    Ok(())
                },
            )
            .await?;
        }
        Ok(())
    }
}

/// Takes an answer, if it is newer than what is known. False if it is none.
fn take(asked: &Asked<'_>, key: &EntityKey, table: &Table<'_>, all: &mut All) -> bool {
    let Some((row, time)) = table
        .values
        .first()
        .and_then(|row| Some((row, integer(row, 0)?)))
    else {
        return false;
    };
    let known = all.entry(key.clone()).or_default();
    match asked {
        Asked::Origin(columns) => {
            let label = |name: &FieldName| {
                let at = columns.labels.keys().position(|label| label == name)?;
                text(row, at + 2)
            };
            let Some(origin) = text(row, 1).and_then(|text| schema::origin(&text, label)) else {
                return false;
            };
            if known.origin.as_ref().is_none_or(|(there, _)| *there < time) {
                known.origin = Some((time, origin));
            }
        }
        Asked::Field(name, of) => {
            let Some(value) = value(row, 1, *of) else {
                return false;
            };
            let time = Timestamp::from_millis(time);
            let there = known.fields.get(*name);
            if there.is_none_or(|there| there.time < time) {
                known.fields.insert((*name).clone(), Latest { value, time });
            }
        }
    }
    true
}

/// The states of entities that somebody of us observed.
pub(super) fn states(all: All) -> Vec<EntityState> {
    all.into_iter()
        .filter_map(|(key, known)| {
            let (_, origin) = known.origin?;
            Some(EntityState {
                key,
                kind: origin.kind,
                agent: origin.agent,
                labels: Arc::new(origin.labels),
                fields: known.fields,
            })
        })
        .collect()
}

/// The labels of entities.
pub(super) fn labels(all: All) -> BTreeMap<EntityKey, Arc<Labels>> {
    all.into_iter()
        .filter_map(|(key, known)| Some((key, Arc::new(known.origin?.1.labels))))
        .collect()
}
