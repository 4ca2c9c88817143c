//! The way of the data: append durably, read, project, write to the store.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use event_log::{EventLog, Filter, ReadQuery, Urgency};
use homelog_benches::Homelab;
use ingest::{KnownEntities, Limits, project};
use schemas::{Catalog, Position, Timestamp};
use time_series::{TimeSeries, WriteBatch};
use tokio::runtime::Runtime;

const ENTITIES: usize = 330;

fn pipeline(c: &mut Criterion) {
    let (Ok(runtime), Ok(directory)) = (Runtime::new(), tempfile::tempdir()) else {
        return;
    };
    let Ok(log) =
        event_log::Embedded::open(directory.path(), event_log::embedded::Options::default())
    else {
        return;
    };
    let Ok(store) = time_series::Embedded::open(
        directory.path().join("series.db"),
        time_series::embedded::Options::default(),
    ) else {
        return;
    };
    let Ok(mut lab) = Homelab::new(ENTITIES, 1) else {
        return;
    };
    let catalog = Catalog::default();
    let mut known = KnownEntities::default();
    let mut time = Timestamp::now().plus_millis(-86_400_000);
    let mut position = Position::start(1);

    let mut group = c.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(ENTITIES as u64));
    group.bench_function("append, synced", |b| {
        b.iter_batched(
            || {
                time = time.plus_millis(5_000);
                lab.poll(time)
            },
            |drafts| runtime.block_on(log.append(drafts, Urgency::Soon)).is_ok(),
            BatchSize::PerIteration,
        );
    });
    // behind what the bench before has left in the log
    position = runtime
        .block_on(log.bounds())
        .map_or(position, |bounds| bounds.newest);
    group.bench_function("read, project, write", |b| {
        b.iter_batched(
            || {
                time = time.plus_millis(5_000);
                runtime
                    .block_on(log.append(lab.poll(time), Urgency::Soon))
                    .is_ok()
            },
            |_| {
                let query = ReadQuery {
                    filter: Filter::default(),
                    limit: ENTITIES,
                };
                let Ok(batch) = runtime.block_on(log.read(&position, &query)) else {
                    return false;
                };
                position = batch.next.clone();
                let points = batch
                    .records
                    .iter()
                    .filter_map(|r| project(r, &catalog, &mut known, &Limits::default()).point)
                    .collect();
                runtime
                    .block_on(store.write(WriteBatch {
                        points,
                        position: batch.next,
                    }))
                    .is_ok()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
