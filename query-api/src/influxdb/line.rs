//! Lines and the events that they become.

use std::collections::HashSet;

use schemas::{
    Catalog, Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    catalog::{TypeConflict, ValueType},
    limits,
    line_protocol::{Line, LineError, Parser, Precision, Reason, Value},
    name::SourceKind,
};

use super::names;
use crate::{
    ApiError,
    intake::{self, Pushed},
};

/// The tag that names a source.
const SOURCE: &str = "source";
/// Most lines that cannot be read and are told, and most characters of each.
const MOST_TOLD: usize = 16;
const MOST_SHOWN: usize = 256;

/// What lines are read by.
pub(super) struct Rules {
    pub(super) precision: Precision,
    /// Where a line names no source of its own.
    pub(super) source: SourceName,
    /// The time of lines without one.
    pub(super) now: Timestamp,
    /// Whether one line that cannot be read refuses all of them.
    pub(super) all_or_none: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) pushed: Pushed,
    /// How many lines could be read.
    pub(super) read: usize,
    /// What is wrong with those that could not, in InfluxDB's words; empty where all could.
    pub(super) unread: String,
}

/// Reads a body.
///
/// # Errors
/// More lines than a push may have.
pub(super) fn read(
    body: &[u8],
    rules: &Rules,
    catalog: &Catalog,
    claimed: &HashSet<SourceName>,
) -> Result<Lines, ApiError> {
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    for line in Parser::new(body, rules.precision) {
        if good.len() + wrong.len() >= limits::PUSH_EVENTS {
            return Err(ApiError::new(
                axum::http::StatusCode::PAYLOAD_TOO_LARGE,
                "too_many_lines",
                format!(
                    "the body has more than {} lines: write in several requests",
                    limits::PUSH_EVENTS
                ),
            ));
        }
        match line {
            Ok(line) => good.push(line),
            Err(e) => wrong.push(e),
        }
    }
    let mut lines = Lines {
        read: good.len(),
        unread: told(body, &wrong),
        ..Lines::default()
    };
    if rules.all_or_none && !wrong.is_empty() {
        return Ok(lines);
    }
    for (place, line) in good.iter().enumerate() {
        let taken = draft(line, rules).and_then(|draft| {
            if claimed.contains(draft.source.as_str()) {
                return Err(intake::collected_here(&draft.source));
            }
            draft.check().map_err(|e| e.to_string())?;
            intake::fit(&draft, catalog).map_err(|e| conflict(&e, &line.measurement))?;
            Ok(draft)
        });
        match taken {
            Ok(draft) => lines.pushed.take(place, draft),
            Err(message) => lines.pushed.refuse(place, "refused", message),
        }
    }
    Ok(lines)
}

fn draft(line: &Line<'_>, rules: &Rules) -> Result<Draft, String> {
    let mut tags: Vec<(&str, &str)> = line
        .tags
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    tags.sort_unstable();
    let named = tags
        .iter()
        .position(|(name, _)| *name == SOURCE)
        .and_then(|at| Some((at, SourceName::new(tags.get(at)?.1).ok()?)));
    let source = match named {
        Some((at, source)) => {
            tags.remove(at);
            source
        }
        None => rules.source.clone(),
    };
    let of = |what: &str| {
        format!(
            "{what} of measurement \"{}\" cannot be taken",
            line.measurement
        )
    };
    let entity_type = names::entity_type(&line.measurement).ok_or_else(|| of("the name"))?;
    let id = names::entity_id(&tags, &source).ok_or_else(|| of("the tag set"))?;
    let mut entity = Entity::new(entity_type, id);
    if !matches!(tags.as_slice(), [("id", _)]) {
        for (name, value) in tags.iter().take(limits::LABELS) {
            if let Some(name) = names::field_name(name) {
                entity = entity.with_label(name, value);
            }
        }
    }
    let mut fields = Fields::new();
    for (name, value) in &line.fields {
        let name = names::field_name(name).ok_or_else(|| of("a field"))?;
        match value {
            Value::Text(text) => fields.set_text(name, text),
            Value::Float(number) => {
                fields.set(name, FieldValue::float(*number).map_err(|e| e.to_string())?)
            }
            Value::Integer(number) => fields.set(name, *number),
            Value::Unsigned(number) => fields.set(name, *number),
            Value::Flag(flag) => fields.set(name, *flag),
        };
    }
    Ok(Draft {
        source,
        kind: SourceKind::new("push").map_err(|e| e.to_string())?,
        agent: None,
        event_type: EventType::Sample,
        time: line.time().unwrap_or(rules.now),
        entity,
        fields,
        identity: None,
    })
}

/// A field whose values are of another type, in InfluxDB's words.
fn conflict(conflict: &TypeConflict, measurement: &str) -> String {
    let word = |value: ValueType| match value {
        ValueType::Float => "float",
        ValueType::Integer => "integer",
        ValueType::Bool => "boolean",
        ValueType::Text => "string",
    };
    format!(
        "field type conflict: input field \"{}\" on measurement \"{measurement}\" is type {}, already exists as type {}",
        conflict.field,
        word(conflict.found),
        word(conflict.expected)
    )
}

/// What is wrong with some lines, one a line as InfluxDB tells it.
fn told(body: &[u8], wrong: &[LineError]) -> String {
    if wrong.is_empty() {
        return String::new();
    }
    let mut told: Vec<String> = Vec::new();
    let mut lines = body.split(|byte| *byte == b'\n').enumerate();
    for error in wrong.iter().take(MOST_TOLD) {
        let line = lines
            .by_ref()
            .find(|(at, _)| at + 1 >= error.line)
            .map_or(&b""[..], |(_, line)| line);
        let line = String::from_utf8_lossy(line);
        let mut shown: String = line.trim().chars().take(MOST_SHOWN).collect();
        if line.trim().chars().nth(MOST_SHOWN).is_some() {
            shown.push('…');
        }
        told.push(format!(
            "unable to parse '{shown}': {}",
            in_its_words(error.reason)
        ));
    }
    if wrong.len() > MOST_TOLD {
        told.push(format!("and {} lines more", wrong.len() - MOST_TOLD));
    }
    told.join("\n")
}

fn in_its_words(reason: Reason) -> String {
    match reason {
        Reason::Missing("measurement") => "missing measurement",
        Reason::Missing("field") => "missing fields",
        Reason::Missing("field's name" | "field's value") => "invalid field format",
        Reason::Missing("tag's name") => "missing tag key",
        Reason::Missing("tag's value") => "missing tag value",
        Reason::Missing("comma") => "invalid tag format",
        Reason::DuplicateTag => "duplicate tags",
        Reason::OpenText => "unbalanced quotes",
        Reason::Value => "invalid number",
        Reason::OutOfRange => "value out of range",
        Reason::Time => "bad timestamp",
        Reason::TimeOutOfRange => "time outside range -9223372036854775806 - 9223372036854775806",
        other => return other.to_string(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            precision: Precision::Seconds,
            source: SourceName::new("telegraf").unwrap(),
            now: Timestamp::from_millis(1_795_406_700_000),
            all_or_none: false,
        }
    }

    fn drafts(body: &str) -> Vec<Draft> {
        Parser::new(body.as_bytes(), Precision::Seconds)
            .map(|line| draft(&line.unwrap(), &rules()).unwrap())
            .collect()
    }

    #[test]
    fn a_line_is_an_event_of_what_its_tags_are() {
        let body = "cpu,host=nas,cpu=cpu0 usage_idle=97.5,n=3i,u=18446744073709551615u,on=t,s=\"x\" 1795406000\n\
                    mem,source=nas1,id=a free=1\nweather t=1\nm,source=not\\ a\\ name v=1\n";
        let all = drafts(body);
        let [cpu, mem, weather, odd] = &all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(cpu.source.as_str(), "telegraf");
        assert_eq!(cpu.entity.entity_type.as_str(), "cpu");
        assert_eq!(cpu.entity.id.as_str(), "cpu=cpu0,host=nas");
        assert_eq!(
            cpu.entity.labels.get("host").map(|label| &**label),
            Some("nas")
        );
        assert_eq!(cpu.time.as_millis(), 1_795_406_000_000);
        let values: Vec<_> = cpu
            .fields
            .iter()
            .map(|(n, v)| format!("{n}={v:?}"))
            .collect();
        assert_eq!(
            values,
            [
                "n=I64(3)",
                "on=Bool(true)",
                "s=Text(\"x\")",
                "u=U64(18446744073709551615)",
                "usage_idle=F64(97.5)"
            ]
        );
        assert_eq!((mem.source.as_str(), mem.entity.id.as_str()), ("nas1", "a"));
        assert!(mem.entity.labels.is_empty());
        assert_eq!(mem.time, rules().now);
        assert_eq!(weather.entity.id.as_str(), "telegraf");
        assert_eq!(odd.source.as_str(), "telegraf");
        assert_eq!(odd.entity.id.as_str(), "source=not a name");
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_taken() {
        let catalog = Catalog::new([]);
        let claimed = HashSet::from([SourceName::new("here.host").unwrap()]);
        let body =
            "m v=1\nbad line here\nm v=\"x\",w=1\nm2 x\nm,source=here.host v=1\nm v=2 1\nm v=3\n";
        let lines = read(body.as_bytes(), &rules(), &catalog, &claimed).unwrap();
        assert_eq!(lines.read, 5);
        assert_eq!(
            lines.unread,
            "unable to parse 'bad line here': invalid field format\nunable to parse 'm2 x': invalid field format"
        );
        let shown = format!("{:?}", lines.pushed);
        for words in [
            "field type conflict: input field \\\"v\\\" on measurement \\\"m\\\" is type string, already exists as type float",
            "source `here.host` is collected by this Homelog itself",
            "is outside 2000 to 2200",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert_eq!(
            catalog.metric("m", "w"),
            None,
            "what is refused registers nothing"
        );

        let strict = Rules {
            all_or_none: true,
            ..rules()
        };
        let lines = read(body.as_bytes(), &strict, &catalog, &claimed).unwrap();
        assert!(format!("{:?}", lines.pushed).contains("drafts: []"));
        assert!(!lines.unread.is_empty());
    }

    #[test]
    fn what_is_told_and_taken_is_bounded() {
        let garbage = "x\n".repeat(5000);
        let lines = read(
            garbage.as_bytes(),
            &rules(),
            &Catalog::new([]),
            &HashSet::new(),
        )
        .unwrap();
        assert_eq!(lines.unread.lines().count(), MOST_TOLD + 1);
        assert!(
            lines.unread.ends_with("and 4984 lines more"),
            "{}",
            lines.unread
        );
        let many = "m v=1\n".repeat(limits::PUSH_EVENTS + 1);
        let refused = read(
            many.as_bytes(),
            &rules(),
            &Catalog::new([]),
            &HashSet::new(),
        );
        assert_eq!(refused.unwrap_err().code(), "too_many_lines");
        let long = format!("m v={}", "9".repeat(10_000));
        let lines = read(
            long.as_bytes(),
            &rules(),
            &Catalog::new([]),
            &HashSet::new(),
        )
        .unwrap();
        assert!(lines.unread.len() < 2000, "{}", lines.unread.len());
    }
}
