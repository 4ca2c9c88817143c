//! Encoder and parser against each other, and against samples of the protocol's specification.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*};

use super::{Encoder, Line, Parser, Precision, Reason, Value, bounds};
use crate::FieldValue;

const SAMPLES: &str = include_str!("../../golden/line_protocol.samples.txt");
const READ: &str = include_str!("../../golden/line_protocol.read.txt");

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_]{1,8}",
        2 => "[a-zA-Z0-9 ,=\\\\\"'#ü🚀.:-]{1,12}",
        1 => "\\PC{1,20}",
    ]
    .prop_filter("has a form", |name| {
        !name.ends_with('\\') && !name.bytes().any(|b| b.is_ascii_control())
    })
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<f64>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(FieldValue::F64),
        any::<i64>().prop_map(FieldValue::I64),
        (i64::MAX.unsigned_abs() + 1..).prop_map(FieldValue::U64),
        any::<bool>().prop_map(FieldValue::Bool),
        "[a-z \\\\\"\n\r,=#🚀]{0,20}".prop_map(|text| FieldValue::Text(text.into())),
    ]
}

type Written = (
    String,
    Vec<(String, String)>,
    Vec<(String, FieldValue)>,
    Option<i64>,
);

fn point() -> impl Strategy<Value = Written> {
    (
        name().prop_filter("no comment", |name| !name.starts_with('#')),
        vec((name(), name()), 0..4),
        vec((name(), value()), 1..5),
        proptest::option::of(any::<i64>()),
    )
        .prop_map(|(measurement, mut tags, fields, time)| {
            tags.sort();
            tags.dedup_by(|a, b| a.0 == b.0);
            (measurement, tags, fields, time)
        })
}

fn write(lines: &mut Encoder, (measurement, tags, fields, time): &Written) {
    lines.begin(measurement);
    for (name, value) in tags {
        lines.tag(name, value);
    }
    for (name, value) in fields {
        lines.field(name, value);
    }
    lines.end(*time).unwrap();
}

fn to_field(value: &Value<'_>) -> FieldValue {
    match value {
        Value::Float(v) => FieldValue::F64(*v),
        Value::Integer(v) => FieldValue::I64(*v),
        Value::Unsigned(v) => FieldValue::U64(*v),
        Value::Flag(v) => FieldValue::Bool(*v),
        Value::Text(v) => FieldValue::Text(v.as_ref().into()),
    }
}

fn to_written(line: &Line<'_>) -> Written {
    let owned = |text: &Cow<'_, str>| text.clone().into_owned();
    (
        owned(&line.measurement),
        line.tags
            .iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect(),
        line.fields
            .iter()
            .map(|(name, value)| (owned(name), to_field(value)))
            .collect(),
        line.nanoseconds,
    )
}

fn same(a: &Written, b: &Written) -> bool {
    let fields = |written: &Written| written.2.len();
    (&a.0, &a.1, a.3) == (&b.0, &b.1, b.3)
        && fields(a) == fields(b)
        && a.2
            .iter()
            .zip(&b.2)
            .all(|(a, b)| a.0 == b.0 && a.1.same_as(&b.1))
}

proptest! {
    #[test]
    fn what_is_written_is_read_to_the_bit(points in vec(point(), 0..6)) {
        let mut lines = Encoder::new();
        for point in &points {
            write(&mut lines, point);
        }
        let read: Vec<_> = Parser::new(lines.bytes(), Precision::Nanoseconds)
            .map(|line| to_written(&line.unwrap()))
            .collect();
        prop_assert_eq!(read.len(), points.len());
        for (read, point) in read.iter().zip(&points) {
            prop_assert!(same(read, point), "{:?} is not {:?}", read, point);
        }
    }

    #[test]
    fn what_is_read_is_written_and_read_again(body in "([a-z,= \\\\\"0-9.iu#\n-]{0,40}\n){0,4}") {
        for line in Parser::new(body.as_bytes(), Precision::Nanoseconds).flatten() {
            let read = to_written(&line);
            // the protocol lets names be read that it cannot write, such as those with a tab
            let mut lines = Encoder::new();
            lines.begin(&read.0);
            read.1.iter().for_each(|(name, value)| lines.tag(name, value));
            read.2.iter().for_each(|(name, value)| lines.field(name, value));
            if lines.end(read.3).is_ok() {
                let again = Parser::new(lines.bytes(), Precision::Nanoseconds).next().unwrap();
                let again = again.map(|line| to_written(&line)).unwrap();
                prop_assert!(same(&again, &read), "{:?} is not {:?}", again, read);
            }
        }
    }

    #[test]
    fn any_bytes_are_lines_or_errors_with_their_place(body in vec(any::<u8>(), 0..400)) {
        let rows = body.split(|&byte| byte == b'\n').count();
        for line in Parser::new(&body, Precision::Seconds) {
            match line {
                Ok(line) => prop_assert!(line.number <= rows && !line.fields.is_empty()),
                Err(e) => prop_assert!(e.line <= rows && e.column <= body.len() + 1, "{}", e),
            }
        }
    }
}

/// What becomes of each sample is compared with what is written down; a line there for each line here.
#[test]
fn samples_of_the_specification_are_read_as_written_down() {
    let read: Vec<String> = Parser::new(SAMPLES.as_bytes(), Precision::Nanoseconds)
        .map(|line| match line {
            Ok(line) => format!(
                "{} {:?} {:?} {:?} {:?}",
                line.number, line.measurement, line.tags, line.fields, line.nanoseconds
            ),
            Err(error) => format!("error: {error}"),
        })
        .collect();
    assert_eq!(
        read.join("\n"),
        READ.trim_end(),
        "read:\n{}\n",
        read.join("\n")
    );
}

#[test]
fn a_quote_left_open_costs_one_line() {
    let body = b"a f=\"open\nb f=1\nc f=2 x\nd f=3\n";
    let read: Vec<_> = Parser::new(body, Precision::Nanoseconds)
        .map(|line| line.map(|line| line.measurement.into_owned()))
        .collect();
    let places: Vec<_> = read
        .iter()
        .filter_map(|line| line.as_ref().err())
        .map(|e| (e.line, e.column, e.reason))
        .collect();
    assert_eq!(places, [(1, 5, Reason::OpenText), (3, 7, Reason::Time)]);
    assert_eq!(read.iter().flatten().collect::<Vec<_>>(), ["b", "d"]);
}

#[test]
fn everything_has_a_bound() {
    let reason = |body: String| {
        Parser::new(body.as_bytes(), Precision::Nanoseconds)
            .find_map(Result::err)
            .map(|e| e.reason)
    };
    let long = "x".repeat(bounds::NAME + 1);
    assert_eq!(
        reason(format!("{long} f=1")),
        Some(Reason::TooLong("measurement"))
    );
    assert_eq!(
        reason(format!("m f=\"{}\"", "x".repeat(bounds::TEXT + 1))),
        Some(Reason::TooLong("text"))
    );
    let tags: Vec<String> = (0..=bounds::TAGS).map(|i| format!(",t{i}=x")).collect();
    let tags = tags.concat();
    assert_eq!(
        reason(format!("m{tags} f=1")),
        Some(Reason::TooMany("tags"))
    );
    let fields: Vec<String> = (0..=bounds::FIELDS).map(|i| format!("f{i}=1")).collect();
    assert_eq!(
        reason(format!("m {}", fields.join(","))),
        Some(Reason::TooMany("fields"))
    );
    let texts: Vec<String> = (0..30)
        .map(|i| format!("f{i}=\"{}\"", "x".repeat(bounds::TEXT)))
        .collect();
    assert_eq!(
        reason(format!("m {}", texts.join(","))),
        Some(Reason::TooLong("line"))
    );
    assert_eq!(reason("m f=1e999".to_owned()), Some(Reason::OutOfRange));
    assert_eq!(
        reason("m f=9223372036854775808i".to_owned()),
        Some(Reason::OutOfRange)
    );
}

#[test]
fn times_follow_their_precision() {
    for (precision, time, nanoseconds, millis) in [
        ("ns", 1_500_001, 1_500_001, 1),
        ("us", -1, -1000, -1),
        ("ms", 7, 7_000_000, 7),
        ("s", 7, 7_000_000_000, 7000),
        ("m", 7, 420_000_000_000, 420_000),
        ("h", 7, 25_200_000_000_000, 25_200_000),
    ] {
        let body = format!("m f=1 {time}");
        let line = Parser::new(body.as_bytes(), precision.parse().unwrap())
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(line.nanoseconds, Some(nanoseconds));
        assert_eq!(line.time().unwrap().as_millis(), millis);
    }
    let far = Parser::new(b"m f=1 1795402800000000000", Precision::Milliseconds).next();
    assert_eq!(far.unwrap().unwrap_err().reason, Reason::TimeOutOfRange);
    assert!("d".parse::<Precision>().is_err());
}
