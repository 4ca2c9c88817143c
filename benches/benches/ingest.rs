//! What one event costs on its way from the log's bytes to a point.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event_log::{Body, Record};
use homelog_benches::Homelab;
use ingest::{KnownEntities, Limits, project};
use schemas::{Catalog, Timestamp, codec, event::Identity, name::Epoch};

fn ingest(c: &mut Criterion) {
    let (Ok(mut lab), Ok(epoch)) = (Homelab::new(330, 1), Epoch::new("0011223344556677")) else {
        return;
    };
    let now = Timestamp::now();
    let lines: Vec<Vec<u8>> = (0..3)
        .flat_map(|n| lab.poll(now.plus_millis(n * 5_000)))
        .zip(1..)
        .filter_map(|(draft, seq)| {
            let mut line = Vec::new();
            let event = draft.into_event(Identity {
                epoch: epoch.clone(),
                seq,
            });
            codec::encode(&event, &mut line).ok().map(|()| line)
        })
        .collect();
    let record = |(event, offset)| Record {
        partition: 0,
        offset,
        logged: now,
        body: Body::Event(Arc::new(event)),
    };
    let mut decoder = codec::Decoder::new();
    let records: Vec<Record> = lines
        .iter()
        .filter_map(|line| decoder.decode(line).ok())
        .zip(0..)
        .map(record)
        .collect();
    let (catalog, limits) = (Catalog::default(), Limits::default());
    let mut known = KnownEntities::default();

    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(lines.len() as u64));
    group.bench_function("decode, each by itself", |b| {
        b.iter(|| {
            for line in &lines {
                black_box(codec::decode(line).is_ok());
            }
        });
    });
    group.bench_function("decode, one after the other", |b| {
        b.iter(|| {
            for line in &lines {
                black_box(decoder.decode(line).is_ok());
            }
        });
    });
    group.bench_function("project", |b| {
        b.iter(|| {
            for record in &records {
                black_box(project(record, &catalog, &mut known, &limits));
            }
        });
    });
    group.bench_function("decode and project", |b| {
        b.iter(|| {
            let events = lines.iter().filter_map(|line| decoder.decode(line).ok());
            for record in events.zip(0..).map(record) {
                black_box(project(&record, &catalog, &mut known, &limits));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
