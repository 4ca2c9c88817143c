//! Writing and reading one event in the log's JSON form.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use homelog_benches::Homelab;
use schemas::{Timestamp, codec, event::Identity, name::Epoch};
use std::hint::black_box;

fn codec(c: &mut Criterion) {
    let (Ok(mut lab), Ok(epoch)) = (Homelab::new(330, 1), Epoch::new("0011223344556677")) else {
        return;
    };
    let events: Vec<_> = lab
        .poll(Timestamp::now())
        .into_iter()
        .zip(1..)
        .map(|(draft, seq)| {
            draft.into_event(Identity {
                epoch: epoch.clone(),
                seq,
            })
        })
        .collect();
    let lines: Vec<Vec<u8>> = events
        .iter()
        .filter_map(|event| {
            let mut line = Vec::new();
            codec::encode(event, &mut line).ok().map(|()| line)
        })
        .collect();
    let mut group = c.benchmark_group("codec");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("encode", |b| {
        let mut out = Vec::with_capacity(512);
        b.iter(|| {
            for event in &events {
                out.clear();
                black_box(codec::encode(event, &mut out).is_ok());
            }
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            for line in &lines {
                black_box(codec::decode(line).is_ok());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
