use anyhow::Context;
use event_log::{Body, DeadLetter, EventLog, LetterId, Record};
use schemas::{Catalog, FieldName, Fields, codec};
use time_series::{PartitionedStore, Point, Selection, TimeSeries, WriteBatch, Written};

use crate::{
    batch::REFUSED,
    known::KnownEntities,
    project::{Limits, project},
};

/// Letters of one write.
const BATCH: usize = 500;

/// What became of a dead letter that was tried again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Retried {
    /// It is in the store, and no dead letter any more.
    Stored,
    /// It still cannot be used.
    Still {
        /// Stable name of the reason.
        reason: String,
        /// What happened and what to do.
        message: String,
    },
}

/// Where retried letters go.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// A store that nobody else writes meanwhile; its position stays where it is. While an [`crate::Ingest`] runs, its `retry`
    /// is the way.
    Alone(&'a dyn TimeSeries),
    /// A store that many workers write.
    Shared(&'a dyn PartitionedStore),
}

/// What a retry works with.
pub struct Retry<'a> {
    /// Where the dead letters are.
    pub log: &'a dyn EventLog,
    /// Where points go.
    pub store: Target<'a>,
    /// Types of fields.
    pub catalog: &'a Catalog,
    /// What the store takes.
    pub limits: Limits,
}

/// Projects the originals of dead letters again and writes what can be used now straight to the store; those letters are gone
/// afterwards. One answer for each letter, in their order.
///
/// A letter of one field brings that field alone. A retried value takes the place of what is there at the same time of the same
/// entity, even where that came later.
///
/// # Errors
/// The log or the store cannot be reached or refuses; trying again is safe.
pub async fn retry(letters: &[DeadLetter], with: &Retry<'_>) -> anyhow::Result<Vec<Retried>> {
    let types = with.reads().field_types().await.context("known fields")?;
    with.catalog.register_all(types);
    let mut known = KnownEntities::default();
    let mut outcome = Vec::with_capacity(letters.len());
    for part in letters.chunks(BATCH) {
        outcome.extend(with.part(part, &mut known).await?);
    }
    Ok(outcome)
}

impl Retry<'_> {
    fn reads(&self) -> &dyn TimeSeries {
        match self.store {
            Target::Alone(store) => store,
            Target::Shared(store) => store,
        }
    }

    async fn part(
        &self,
        letters: &[DeadLetter],
        known: &mut KnownEntities,
    ) -> anyhow::Result<Vec<Retried>> {
        let mut outcome = Vec::with_capacity(letters.len());
        let (mut points, mut origins) = (Vec::new(), Vec::new());
        for (index, letter) in letters.iter().enumerate() {
            match self.point(letter, known).await? {
                Ok(point) => {
                    points.push(point);
                    origins.push(index);
                    outcome.push(Retried::Stored);
                }
                Err(still) => outcome.push(still),
            }
        }
        if points.is_empty() {
            return Ok(outcome);
        }
        for refused in self.write(points).await?.refused {
            if let Some(slot) = origins
                .get(refused.index)
                .and_then(|index| outcome.get_mut(*index))
            {
                *slot = Retried::Still {
                    reason: REFUSED.to_owned(),
                    message: refused.why,
                };
            }
        }
        let stored: Vec<LetterId> = letters
            .iter()
            .zip(&outcome)
            .filter(|(_, outcome)| **outcome == Retried::Stored)
            .map(|(letter, _)| letter.id())
            .collect();
        if !stored.is_empty() {
            self.log
                .resolve_dead_letters(stored)
                .await
                .context("forget dead letters that are stored now")?;
        }
        Ok(outcome)
    }

    /// The point of a letter, or why there is none.
    async fn point(
        &self,
        letter: &DeadLetter,
        known: &mut KnownEntities,
    ) -> anyhow::Result<Result<Point, Retried>> {
        let still = |reason: &str, message: String| {
            Ok(Err(Retried::Still {
                reason: reason.to_owned(),
                message,
            }))
        };
        let mut event = match codec::decode(&letter.bytes) {
            Ok(event) => event,
            Err(e) => return still("undecodable", e.to_string()),
        };
        if let Some(wanted) = &letter.field {
            let Some(value) = event.fields.remove(wanted) else {
                return still(
                    "undecodable",
                    format!("the original has no field `{wanted}`"),
                );
            };
            let name = FieldName::new(wanted).context("name of a field")?;
            event.fields = Fields::from_iter([(name, value)]);
        }
        if known.lacks(&event.source) {
            let selection = Selection {
                sources: vec![event.source.clone()],
                ..Selection::default()
            };
            let state = self.reads().state(&selection, None).await;
            known.take_over(state.context("known entities")?.entities);
            known.warmed(event.source.clone());
        }
        let record = Record {
            partition: letter.partition,
            offset: letter.offset,
            logged: letter.time,
            body: Body::Event(event.into()),
        };
        let mut made = project(&record, self.catalog, known, &self.limits);
        // a whole event is stored only if all of it can be: its letter is its only trace
        if let Some(letter) = made.letters.pop() {
            return still(&letter.reason, letter.message);
        }
        match made.point {
            Some(point) => Ok(Ok(point)),
            None => still("empty", "the original has no fields".to_owned()),
        }
    }

    async fn write(&self, points: Vec<Point>) -> anyhow::Result<Written> {
        match self.store {
            // a position that is not further than what is remembered moves nothing
            Target::Shared(store) => store.write_partition(points, 0, 0).await,
            Target::Alone(store) => {
                let position = match store.position().await? {
                    Some(position) => position,
                    None => self.log.bounds().await?.oldest,
                };
                store.write(WriteBatch { points, position }).await
            }
        }
        .context("write to the time-series store")
    }
}
