//! The store on InfluxDB 2 (and what speaks its API): many workers write it, any number of readers read it.
//!
//! Points go as line protocol through `/api/v2/write`; reads are InfluxQL through `/query`. What the buckets hold is described
//! for those who look into them in `docs/deployment/influxdb.md`.

mod answer;
mod batch;
mod catalogue;
mod error;
mod gzip;
mod influxql;
mod lane;
mod metrics;
mod options;
mod past;
mod position;
mod purge;
mod range;
mod schema;
mod server;
mod setup;
mod trim;
mod windows;
mod writer;

pub use error::OpenError;
pub use metrics::Metrics;
pub use options::Options;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use schemas::{FieldName, Position, SourceName, Timestamp, catalog::ValueType, name::EntityType};
use supervision::Supervisor;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::{
    Capabilities, PartitionedStore, Point, Purged, QueryError, RangeData, RangeQuery, Selection,
    StateData, Stats, TimeSeries, WriteBatch, WriteError, Written, embedded::sink::Plan,
};
use catalogue::Catalogue;
use influxql::Span;
use past::{All, Past};
use position::Positions;
use range::Reading;
use server::Server;
use writer::Writer;

/// A store on InfluxDB. See the [module's documentation](self).
///
/// A write that cannot be made is made again for a while before its caller is told. When one of a partition fails, those of the
/// same partition that were called after it and are still waiting fail too, or their position would claim what is not there:
/// all of them are to be tried again, in order.
///
/// Dropping it ends its writers; [`TimeSeries::close`] lets them finish first.
#[derive(Debug)]
pub struct Influxdb {
    server: Arc<Server>,
    writer: Writer,
    positions: Positions,
    bucket: String,
    state_bucket: String,
    /// Seconds after which the bucket drops points by itself; 0 is never.
    keeps: u64,
    /// Whether the server can delete what one source wrote.
    deletes: bool,
    patience: Duration,
    /// A batch with its position is alone: what this process reads is then exactly what its position says. Partitions are
    /// written beside reads, and a position that is read before the points is a lower bound.
    steady: RwLock<()>,
}

impl Influxdb {
    /// Checks server, organisation, token and buckets, makes buckets that are missing, and starts the writers under
    /// `supervisor`.
    ///
    /// # Errors
    /// What is wrong and how to mend it, in one line; [`OpenError::is_transient`] tells whether trying again makes sense.
    pub async fn open(options: Options, supervisor: &Supervisor) -> Result<Self, OpenError> {
        let options = options.sane();
        let server = Arc::new(Server::new(&options)?);
        let setup::Prepared { keeps, deletes } = setup::prepare(&options, &server).await?;
        Ok(Self {
            writer: Writer::start(&options, Arc::clone(&server), supervisor),
            server,
            positions: Positions::default(),
            state_bucket: options.state_bucket(),
            bucket: options.bucket,
            keeps,
            deletes,
            patience: options.patience + options.timeout,
            steady: RwLock::new(()),
        })
    }

    async fn reading(&self) -> Result<RwLockReadGuard<'_, ()>, QueryError> {
        let guard = self.steady.read().await;
        self.writer.check().map_err(|_| QueryError::Closed)?;
        Ok(guard)
    }

    async fn writing(&self) -> Result<RwLockReadGuard<'_, ()>, WriteError> {
        let guard = self.steady.read().await;
        self.writer.check()?;
        Ok(guard)
    }

    async fn partitions(&self) -> Result<BTreeMap<usize, u64>, QueryError> {
        self.positions.read(&self.server, &self.state_bucket).await
    }

    /// For an answer; a store that never had a batch is at the start.
    async fn reflected(&self) -> Result<Position, QueryError> {
        let partitions = self.partitions().await?;
        Ok(position::whole(&partitions).unwrap_or(Position::start(1)))
    }

    /// What both buckets know of entities, of which `raw` is the catalogue of the one of raw points; fields only if asked for.
    async fn known(
        &self,
        raw: &Catalogue,
        selection: &Selection,
        span: Span,
        with_fields: bool,
    ) -> Result<All, QueryError> {
        let past = |bucket| Past {
            server: &self.server,
            bucket,
            selection,
            span,
        };
        let mut all = All::new();
        past(&self.bucket).read(raw, with_fields, &mut all).await?;
        let silent = catalogue::read(&self.server, &self.state_bucket, selection).await?;
        past(&self.state_bucket)
            .read(&silent, with_fields, &mut all)
            .await?;
        Ok(all)
    }
}

/// A question that fails while something is written fails the write: it may be tried again.
fn as_write(error: QueryError) -> WriteError {
    match error {
        QueryError::Closed => WriteError::Closed,
        QueryError::TooLarge { .. } => WriteError::Unavailable {
            server: String::new(),
            cause: error.to_string(),
            retry_after: None,
        },
        QueryError::Failed { path, cause } => WriteError::Unavailable {
            server: path,
            cause,
            retry_after: None,
        },
    }
}

#[async_trait]
impl TimeSeries for Influxdb {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            unsigned: false,
            exact_positions: false,
            purges: self.deletes,
        }
    }

    async fn position(&self) -> Result<Option<Position>, QueryError> {
        let _steady = self.reading().await?;
        Ok(position::whole(&self.partitions().await?))
    }

    async fn durable_position(&self) -> Result<Option<Position>, QueryError> {
        self.position().await
    }

    async fn write(&self, batch: WriteBatch) -> Result<Written, WriteError> {
        let _alone = self.steady.write().await;
        self.writer.check()?;
        let refused = self.writer.put(batch.points, true).await?;
        let offsets = batch.position.offsets();
        let next: Vec<_> = offsets.iter().copied().enumerate().collect();
        let mut sender = self.writer.sender();
        self.positions
            .write(&mut sender, &self.state_bucket, &next)
            .await?;
        let beyond = self.positions.beyond(offsets.len());
        self.positions
            .forget(&self.server, &self.state_bucket, &beyond)
            .await?;
        Ok(Written { refused })
    }

    async fn flush(&self) -> Result<(), WriteError> {
        // a write answers when its points are durable
        self.writer.check()
    }

    async fn range(&self, query: &RangeQuery) -> Result<RangeData, QueryError> {
        let _steady = self.reading().await?;
        let plan = Plan::new(query)?;
        let position = self.reflected().await?;
        let mut series = Vec::new();
        if query.from < query.to {
            let catalogue = catalogue::read(&self.server, &self.bucket, &query.selection).await?;
            let reading = Reading {
                server: &self.server,
                bucket: &self.bucket,
                query,
                plan: &plan,
            };
            series = range::read(reading, &catalogue).await?;
            if !series.is_empty() {
                let known = self
                    .known(&catalogue, &query.selection, Span::ALL, false)
                    .await?;
                let labels = past::labels(known);
                for one in &mut series {
                    if let Some(labels) = labels.get(&one.key) {
                        one.labels = Arc::clone(labels);
                    }
                }
            }
        }
        Ok(RangeData {
            position,
            tier: "raw",
            series,
        })
    }

    async fn state(
        &self,
        selection: &Selection,
        at: Option<Timestamp>,
    ) -> Result<StateData, QueryError> {
        let _steady = self.reading().await?;
        let position = self.reflected().await?;
        let span = at.map_or(Span::ALL, |at| Span::until(at.as_millis()));
        let raw = catalogue::read(&self.server, &self.bucket, selection).await?;
        let known = self.known(&raw, selection, span, true).await?;
        Ok(StateData {
            position,
            entities: past::states(known),
        })
    }

    async fn field_types(&self) -> Result<Vec<(EntityType, FieldName, ValueType)>, QueryError> {
        let _steady = self.reading().await?;
        let mut types = BTreeMap::new();
        for bucket in [&self.state_bucket, &self.bucket] {
            let catalogue = catalogue::read(&self.server, bucket, &Selection::default()).await?;
            for (entity_type, columns) in catalogue {
                for (name, field) in columns.fields {
                    if let Some(of) = field.types.first() {
                        types.entry((entity_type.clone(), name)).or_insert(*of);
                    }
                }
            }
        }
        Ok(types
            .into_iter()
            .map(|((entity_type, name), of)| (entity_type, name, of))
            .collect())
    }

    async fn stats(&self) -> Result<Stats, QueryError> {
        let _steady = self.reading().await?;
        let all = Selection::default();
        let catalogue = catalogue::read(&self.server, &self.bucket, &all).await?;
        let amount = trim::count(
            &self.server,
            &self.bucket,
            &catalogue,
            &all,
            Span::ALL,
            true,
        )
        .await?;
        Ok(Stats {
            entities: amount.entities,
            samples: amount.samples,
            points: amount.points,
            open_points: 0,
            bytes: 0,
        })
    }

    async fn trim(&self, before: Timestamp) -> Result<u64, WriteError> {
        let _steady = self.writing().await?;
        let everything = Selection::default();
        let span = Span::before(before.as_millis());
        let catalogue = catalogue::read(&self.server, &self.bucket, &everything)
            .await
            .map_err(as_write)?;
        let amount = trim::count(
            &self.server,
            &self.bucket,
            &catalogue,
            &everything,
            span,
            false,
        )
        .await
        .map_err(as_write)?;
        if amount.points == 0 {
            return Ok(0);
        }
        let past = Past {
            server: &self.server,
            bucket: &self.bucket,
            selection: &everything,
            span: Span::ALL,
        };
        let mut all = All::new();
        past.read(&catalogue, true, &mut all)
            .await
            .map_err(as_write)?;
        let mut sender = self.writer.sender();
        let told = |problem: error::Problem| problem.to_write(self.server.name());
        for body in trim::keep(&all, before) {
            sender
                .send(&self.state_bucket, body, false)
                .await
                .map_err(told)?;
        }
        let dropped_by_itself = i64::try_from(self.keeps)
            .ok()
            .filter(|keeps| *keeps > 0)
            .map(|keeps| Timestamp::now().plus_millis(-keeps.saturating_mul(1000)));
        if dropped_by_itself.is_some_and(|edge| before <= edge) {
            return Ok(0);
        }
        let last = before.plus_millis(-1);
        self.server
            .delete(&self.bucket, Timestamp::from_millis(0), last, "")
            .await
            .map_err(told)?;
        Ok(amount.points)
    }

    async fn purge(&self, source: &SourceName) -> Result<Purged, WriteError> {
        let _steady = self.writing().await?;
        if !self.deletes {
            return Ok(Purged::Unable(purge::UNABLE.to_owned()));
        }
        let points = purge::count(&self.server, &self.bucket, source)
            .await
            .map_err(as_write)?;
        for bucket in [&self.bucket, &self.state_bucket] {
            purge::delete(&self.server, bucket, source)
                .await
                .map_err(|problem| problem.to_write(self.server.name()))?;
        }
        Ok(Purged::Points(points))
    }

    async fn points_of(&self, source: &SourceName) -> Result<u64, QueryError> {
        let _steady = self.reading().await?;
        purge::count(&self.server, &self.bucket, source).await
    }

    async fn close(&self) -> Result<(), WriteError> {
        self.writer.close(self.patience).await;
        // whoever is still at it ends first
        let idle = self.steady.write();
        drop(tokio::time::timeout(self.patience, idle).await);
        Ok(())
    }
}

#[async_trait]
impl PartitionedStore for Influxdb {
    async fn write_partition(
        &self,
        points: Vec<Point>,
        partition: usize,
        next: u64,
    ) -> Result<Written, WriteError> {
        let _steady = self.writing().await?;
        let mut turn = self.positions.queue(partition);
        let refused = self.writer.put(points, false).await?;
        if !turn.come(next).await {
            self.writer.check()?;
            return Err(WriteError::Unavailable {
                server: self.server.name().to_owned(),
                cause: "a batch of the same partition that comes before it failed".to_owned(),
                retry_after: None,
            });
        }
        if self.positions.stored(partition).is_none() {
            self.partitions().await.map_err(as_write)?;
        }
        let mut sender = self.writer.sender();
        turn.commit(&mut sender, &self.state_bucket, next).await?;
        Ok(Written { refused })
    }

    async fn partition_position(&self, partition: usize) -> Result<Option<u64>, QueryError> {
        let _steady = self.reading().await?;
        Ok(self.partitions().await?.get(&partition).copied())
    }

    async fn reset_partition(&self, partition: usize, next: u64) -> Result<(), WriteError> {
        let _steady = self.writing().await?;
        let mut sender = self.writer.sender();
        self.positions
            .write(&mut sender, &self.state_bucket, &[(partition, next)])
            .await
    }
}
