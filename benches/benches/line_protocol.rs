//! Writing points of six fields as line protocol, and reading them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use homelog_benches::Homelab;
use schemas::{
    Timestamp,
    line_protocol::{Encoder, Parser, Precision},
};
use std::hint::black_box;

fn line_protocol(c: &mut Criterion) {
    let Ok(mut lab) = Homelab::new(330, 1) else {
        return;
    };
    let events = lab.poll(Timestamp::now());
    let write = |lines: &mut Encoder| {
        lines.clear();
        for event in &events {
            lines.begin(event.entity.entity_type.as_str());
            lines.tag("id", event.entity.id.as_str());
            lines.tag("source", event.source.as_str());
            for (name, value) in event.fields.iter() {
                lines.field(name.as_str(), value);
            }
            black_box(lines.end(Some(event.time.as_millis())).is_ok());
        }
    };
    let mut lines = Encoder::new();
    write(&mut lines);
    let body = lines.bytes().to_vec();
    let mut group = c.benchmark_group("line_protocol");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("encode", |b| b.iter(|| write(&mut lines)));
    group.bench_function("parse", |b| {
        b.iter(|| {
            for line in Parser::new(&body, Precision::Milliseconds) {
                black_box(line.is_ok());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, line_protocol);
criterion_main!(benches);
