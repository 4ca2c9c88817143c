use std::sync::Arc;

use proptest::prelude::*;
use schemas::{FieldName, FieldValue, Fields, Labels, name::SourceKind};

use super::{
    super::{
        chunk::{Chunk, Rows},
        origin::Origin,
        values::Values,
    },
    Corrupt, Encoded, Head, encode,
};

fn origin(image: &str) -> Arc<Origin> {
    Arc::new(Origin {
        kind: SourceKind::new("docker").unwrap(),
        agent: None,
        labels: Arc::new(Labels::from([(FieldName::from("image"), Arc::from(image))])),
    })
}

fn decode(encoded: &Encoded) -> Result<Chunk, Corrupt> {
    Head::decode(&encoded.head)?.chunk(&encoded.body)
}

fn assert_same(a: &Chunk, b: &Chunk) {
    assert_eq!(a.times, b.times);
    assert_eq!(a.origins, b.origins);
    assert_eq!(a.columns.len(), b.columns.len());
    for (x, y) in a.columns.iter().zip(&b.columns) {
        assert_eq!((&x.name, &x.rows), (&y.name, &y.rows));
        assert_eq!(x.values.len(), y.values.len());
        for (v, w) in x.values.iter().zip(y.values.iter()) {
            assert!(v.same_as(&w), "{}: {v:?} is not {w:?}", x.name);
        }
    }
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |v| v.is_finite()),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |v| v.is_finite()),
        (0..1000_i32).prop_map(|v| f64::from(v) / 100.0),
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f64::MIN_POSITIVE / 4.0),
            Just(-f64::MIN_POSITIVE / 4.0),
            Just(f64::MAX),
            Just(f64::MIN)
        ],
    ]
}

fn values() -> impl Strategy<Value = Vec<FieldValue>> {
    let up_to = 1..150_usize;
    prop_oneof![
        prop::collection::vec(finite().prop_map(FieldValue::F64), up_to.clone()),
        prop::collection::vec(any::<i64>().prop_map(FieldValue::I64), up_to.clone()),
        prop::collection::vec((0..9_i64).prop_map(FieldValue::I64), up_to.clone()),
        prop::collection::vec(any::<u64>().prop_map(FieldValue::unsigned), up_to.clone()),
        prop::collection::vec(any::<bool>().prop_map(FieldValue::Bool), up_to.clone()),
        prop::collection::vec(
            "[a-zäöü]{0,3}".prop_map(|text| FieldValue::Text(Arc::from(text))),
            up_to.clone()
        ),
        (any::<i64>(), any::<i64>(), up_to.clone()).prop_map(|(first, step, count)| {
            std::iter::successors(Some(first), |v| Some(v.wrapping_add(step)))
                .take(count)
                .map(FieldValue::I64)
                .collect()
        }),
        (finite(), up_to.clone()).prop_map(|(value, count)| vec![FieldValue::F64(value); count]),
        prop::collection::vec(
            prop_oneof![
                finite().prop_map(FieldValue::F64),
                any::<u64>().prop_map(FieldValue::unsigned),
                any::<bool>().prop_map(FieldValue::Bool),
                any::<i64>().prop_map(FieldValue::I64),
            ],
            up_to
        ),
    ]
}

/// Points with up to four fields of any type, each present at some of the times.
fn chunk() -> impl Strategy<Value = Chunk> {
    (
        prop::collection::vec((values(), 1..6_usize), 0..4),
        prop::collection::vec((1..20_000_i64, 0..3_usize), 1..160),
        0..4_000_000_000_000_i64,
    )
        .prop_map(|(columns, rows, begin)| {
            let names: [&'static str; 4] = ["a", "b", "c", "d"];
            let mut chunk = Chunk::default();
            let mut time = begin;
            for (row, (gap, label)) in rows.iter().enumerate() {
                let mut fields = Fields::new();
                for ((values, every), name) in columns.iter().zip(names) {
                    if row % every == 0
                        && let Some(value) = values.get(row / every)
                    {
                        fields.merge(Fields::from_iter([(FieldName::from(name), value.clone())]));
                    }
                }
                chunk.insert(time, origin(["x", "y", "z"][*label]), fields);
                time += gap;
            }
            chunk
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read_to_the_bit(chunk in chunk()) {
        let encoded = encode(&chunk);
        assert_same(&decode(&encoded).unwrap(), &chunk);
        // the head alone knows what the values say
        let head = Head::decode(&encoded.head).unwrap();
        prop_assert_eq!(head.samples(), chunk.samples() as u64);
        for (column, of_head) in chunk.columns.iter().zip(&head.columns) {
            let last = column.values.len() - 1;
            prop_assert!(of_head.summary.last.same_as(&column.values.get(last).unwrap()));
            prop_assert!(of_head.summary.first.same_as(&column.values.get(0).unwrap()));
            prop_assert_eq!(of_head.last_time, chunk.times[column.row(last)]);
        }
    }

    #[test]
    fn any_change_is_an_error(chunk in chunk(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let whole = encode(&chunk);
        let mut head = whole.clone();
        let index = at.index(head.head.len());
        head.head[index] ^= 1 << bit;
        prop_assert!(decode(&head).is_err());
        let mut body = whole.clone();
        if !body.body.is_empty() {
            let index = at.index(body.body.len());
            body.body[index] ^= 1 << bit;
            prop_assert!(decode(&body).is_err());
        }
        let mut short = whole;
        short.head.truncate(at.index(short.head.len()));
        prop_assert!(decode(&short).is_err());
    }

    /// Whoever forges the checksums too gets an answer or an error, but no panic and no flood of memory.
    #[test]
    fn forged_chunks_do_no_harm(
        chunk in chunk(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_head in any::<bool>(),
    ) {
        let mut forged = encode(&chunk);
        let bytes = if in_head { &mut forged.head } else { &mut forged.body };
        let skip = if in_head { 9 } else { 0 };
        if bytes.len() > skip {
            for (at, byte) in changes {
                let index = skip + at.index(bytes.len() - skip);
                bytes[index] = byte;
            }
        }
        reseal(&mut forged);
        if let Ok(chunk) = decode(&forged) {
            prop_assert!(chunk.times.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn noise_is_an_error(head in prop::collection::vec(any::<u8>(), 0..200), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let noise = Encoded { head: head.clone(), body: body.clone() };
        prop_assert!(decode(&noise).is_err());
        let mut forged = Encoded { head, body };
        if forged.head.len() > 9 {
            forged.head[0] = super::VERSION;
            reseal(&mut forged);
            drop(decode(&forged));
        }
    }
}

fn reseal(encoded: &mut Encoded) {
    let body = crc32fast::hash(&encoded.body).to_le_bytes();
    encoded.head[5..9].copy_from_slice(&body);
    let head = crc32fast::hash(&encoded.head[5..]).to_le_bytes();
    encoded.head[1..5].copy_from_slice(&head);
}

#[test]
fn a_regular_day_of_constants_and_counters_takes_a_few_bytes() {
    let mut chunk = Chunk::default();
    for row in 0..1920_i64 {
        let mut fields = Fields::new();
        fields
            .set("limit_bytes", 1_i64 << 33)
            .set("uptime_seconds", row * 5)
            .set_text("state", "running");
        chunk.insert(1_795_392_000_000 + row * 5000, origin("x"), fields);
    }
    assert!(matches!(chunk.columns[0].rows, Rows::All));
    assert!(matches!(chunk.columns[0].values, Values::Integers(_)));
    let encoded = encode(&chunk);
    let bytes = encoded.head.len() + encoded.body.len();
    assert!(bytes < 250, "{bytes} bytes");
    assert_same(&decode(&encoded).unwrap(), &chunk);
}

#[test]
fn a_head_that_promises_more_than_a_chunk_may_hold_is_refused_before_any_is_made() {
    use super::{Bytes, MAX_POINTS};
    let mut head = Vec::new();
    head.put_varint(MAX_POINTS as u64);
    head.put_signed(0);
    head.put_varint(MAX_POINTS as u64 - 1);
    // times linear, one byte; origins; no sets of rows
    for byte in [0x11, 1, 0, 0] {
        head.push(byte);
    }
    head.put_varint(1000);
    for column in 0..1000 {
        head.put_text(&format!("field{column:04}"));
        // every point, constant integers, no bytes, zero
        for byte in [0, 0x10, 0, 0] {
            head.push(byte);
        }
    }
    let mut sealed = vec![super::VERSION; 9];
    sealed.extend_from_slice(&head);
    let mut forged = Encoded {
        head: sealed,
        body: vec![2],
    };
    reseal(&mut forged);
    assert_eq!(
        Head::decode(&forged.head).unwrap_err(),
        Corrupt("the number of values")
    );
}
