//! The options of one source, read by its integration: every mistake of them, not only the first.

use std::{collections::BTreeSet, ops::Range};

use collector::{Configured, Context, OpenError, ParamsError, Registration};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    findings::{Findings, is_variable},
    source::COMMON,
    suggest,
};

/// The options of a kind, read off its example.
pub(super) fn known(registration: &dyn Registration) -> Vec<&'static str> {
    registration
        .example()
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| {
            key.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .collect()
}

/// Reads the options, taking each that is wrong out and reading the rest again; then looks whether the integration can
/// begin with them.
pub(super) fn read(
    registration: &dyn Registration,
    mut table: DeTable<'_>,
    known: &[&str],
    context: Option<&Context>,
    (name, source): (&str, &Range<usize>),
    mut told: BTreeSet<String>,
    findings: &mut Findings,
) -> Option<Configured> {
    let mut wrong = !told.is_empty();
    let mut typed_values = toml::Table::new();
    // each round takes one key out or gives one its type, so that the loop ends
    loop {
        let error = match parse(registration, &table, &typed_values) {
            Ok(configured) => {
                for file in configured.files() {
                    findings.file(file.clone());
                }
                if let Some(context) = context
                    && let Err(error) = configured.check(context)
                {
                    cannot_begin(&error, &table, (name, source), findings);
                    wrong = true;
                }
                return (!wrong).then_some(configured);
            }
            Err(error) => error,
        };
        let key = top_level(&error.key).to_owned();
        let Some((found, value)) = table.remove_entry(key.as_str()) else {
            missing(&error, registration.kind(), (name, source), &told, findings);
            return None;
        };
        if typed_values.remove(&key).is_none()
            && let Some(typed) = typed(&value)
        {
            typed_values.insert(key, typed);
            table.insert(found, value);
            continue;
        }
        wrong = true;
        let span = if is_unknown(&error) {
            found.span()
        } else {
            deepest(&value, &error.key)
        };
        let (message, fix) = words(&error, registration.kind(), known);
        findings.add(span, message, fix);
        told.insert(key);
    }
}

fn parse(
    registration: &dyn Registration,
    table: &DeTable<'_>,
    typed: &toml::Table,
) -> Result<Configured, ParamsError> {
    let table = Spanned::new(0..0, table.clone());
    let mut options =
        toml::Table::deserialize(toml::de::Deserializer::from(table)).map_err(|e| ParamsError {
            key: String::new(),
            message: e.message().to_owned(),
        })?;
    options.extend(typed.clone());
    registration.parse(options)
}

/// A variable holds text; where text does not fit, what it says in TOML may: `true`, `7`, `["a"]`.
fn typed(value: &Spanned<DeValue<'_>>) -> Option<toml::Value> {
    let text = value
        .get_ref()
        .as_str()
        .filter(|_| is_variable(&value.span()))?;
    toml::Value::deserialize(toml::de::ValueDeserializer::parse(text).ok()?)
        .ok()
        .filter(|value| !value.is_str())
}

fn top_level(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

/// The place of the innermost value that a path names.
fn deepest(value: &Spanned<DeValue<'_>>, path: &str) -> Range<usize> {
    let mut at = value;
    for part in path.split(['.', '[']).skip(1) {
        let part = part.trim_end_matches(']');
        let below = match part.parse::<usize>() {
            Ok(index) => at.get_ref().as_array().and_then(|items| items.get(index)),
            Err(_) => at.get_ref().as_table().and_then(|table| table.get(part)),
        };
        match below {
            Some(below) => at = below,
            None => break,
        }
    }
    at.span()
}

fn is_unknown(error: &ParamsError) -> bool {
    error.message.starts_with("unknown field")
}

/// The first name between backticks.
fn quoted_name(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

fn words(error: &ParamsError, kind: &str, known: &[&str]) -> (String, String) {
    let key = &error.key;
    if is_unknown(error) {
        let name = quoted_name(&error.message).unwrap_or(key);
        let known = known.iter().copied().chain(COMMON);
        let message = format!(
            "`{}` is not an option of kind `{kind}`",
            schemas::name::excerpt(name)
        );
        return (message, suggest::fix(name, known));
    }
    let message = format!("`{key}`: {}", error.message);
    let fix = if error.message.contains("expected a string") {
        "put it in \"quotes\"".to_owned()
    } else {
        see_example(kind)
    };
    (message, fix)
}

fn see_example(kind: &str) -> String {
    format!("the example config shows every option of kind `{kind}`: infra/homelog.example.toml")
}

fn cannot_begin(
    error: &OpenError,
    table: &DeTable<'_>,
    (name, source): (&str, &Range<usize>),
    findings: &mut Findings,
) {
    let OpenError { key, message } = error;
    if key.is_empty() {
        findings.add(
            source.clone(),
            format!("{name} cannot begin"),
            message.as_str(),
        );
        return;
    }
    // what is not written has a default, and then it is the default that does not work here
    let span = table
        .get(top_level(key))
        .map_or_else(|| source.clone(), |value| deepest(value, key));
    findings.add(
        span,
        format!("`{key}` of {name} cannot work"),
        message.as_str(),
    );
}

fn missing(
    error: &ParamsError,
    kind: &str,
    (name, source): (&str, &Range<usize>),
    told: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let field = quoted_name(&error.message).filter(|_| error.message.starts_with("missing field"));
    match field {
        // it is there, and what is wrong with it was told
        Some(field) if told.contains(field) => {}
        Some(field) => findings.add(
            source.clone(),
            format!("{name} has no `{field}`, which kind `{kind}` needs"),
            format!("add a line {field} = …"),
        ),
        None => findings.add(
            source.clone(),
            format!("{name}: {}", error.message),
            see_example(kind),
        ),
    }
}
