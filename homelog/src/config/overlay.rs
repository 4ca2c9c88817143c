//! Lays environment variables over the file: `HOMELOG_SECTION__KEY` and `HOMELOG_SOURCE__NAME__KEY`.

use std::{borrow::Cow, ops::Range};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    findings::{Findings, is_variable},
    section::SectionDoc,
    setting::Value,
    source::RawSource,
    suggest,
};
use crate::env::{Env, OWN, PREFIX};

const SOURCE: &str = "SOURCE";

/// Puts the values of all variables in their places; whose place is not known is a finding.
pub(super) fn apply(
    root: &mut DeTable<'_>,
    sources: &mut Vec<RawSource<'_>>,
    sections: &[SectionDoc],
    env: &Env,
    findings: &mut Findings,
) {
    for name in env.ours().filter(|name| !OWN.contains(name)) {
        let text = match env.text(name) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(e) => {
                let at = findings.variable(name);
                findings.add(at, e.to_string(), "write it in UTF-8");
                continue;
            }
        };
        let path: Vec<&str> = name.trim_start_matches(PREFIX).split("__").collect();
        match path.as_slice() {
            [SOURCE, source, key @ ..] if !key.is_empty() => {
                source_value(sources, name, source, key, text, findings);
            }
            [section, key, below @ ..] if *section != SOURCE => {
                section_value(root, sections, name, (section, key, below), text, findings);
            }
            [_] => not_ours(name, findings),
            _ => {
                let at = findings.variable(name);
                findings.add(
                    at,
                    "names no setting",
                    "write HOMELOG_SECTION__KEY, or HOMELOG_SOURCE__NAME__KEY for a source",
                );
            }
        }
    }
}

/// A name without `__` may come from elsewhere (Kubernetes sets `HOMELOG_PORT` for a service named homelog), so only one
/// that looks like ours is a mistake.
fn not_ours(name: &str, findings: &mut Findings) {
    match suggest::within(name, OWN, |_| 2) {
        Some(meant) => {
            let at = findings.variable(name);
            findings.add(at, "is not known", format!("did you mean {meant}?"));
        }
        None => findings.warn(format!(
            "environment variable {name} is not known and does nothing: settings are named HOMELOG_SECTION__KEY"
        )),
    }
}

fn section_value(
    root: &mut DeTable<'_>,
    sections: &[SectionDoc],
    name: &str,
    (section, key, below): (&str, &str, &[&str]),
    text: &str,
    findings: &mut Findings,
) {
    let at = findings.variable(name);
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let Some(doc) = sections.iter().find(|doc| doc.name == section) else {
        let known = sections.iter().map(|doc| doc.name).chain(["source"]);
        findings.add(
            at,
            format!("there is no section [{section}]"),
            suggest::fix(&section, known),
        );
        return;
    };
    let list = doc.options.iter().any(|o| o.name == key && o.list);
    let value = if list {
        let items = items(text);
        DeValue::Array(
            items
                .iter()
                .map(|item| owned(item, &at))
                .collect::<DeArray<'_>>(),
        )
    } else {
        DeValue::String(Cow::Owned(text.to_owned()))
    };
    let table = root
        .entry(Spanned::new(at.clone(), Cow::Owned(section)))
        .or_insert_with(|| Spanned::new(at.clone(), DeValue::Table(DeTable::new())));
    // anything but a table is told when the section is read
    if let DeValue::Table(table) = table.get_mut() {
        if below.is_empty() {
            put(table, &key, &at, Spanned::new(at.clone(), value));
        } else {
            let path: Vec<&str> = std::iter::once(key.as_str())
                .chain(below.iter().copied())
                .collect();
            nest(table, &path, &at, text);
        }
    }
}

/// The items of a list: joined by commas, or as TOML writes a list of texts.
fn items(text: &str) -> Vec<String> {
    let written = toml::de::ValueDeserializer::parse(text)
        .ok()
        .filter(|_| text.trim_start().starts_with('['))
        .and_then(|list| Vec::<String>::deserialize(list).ok());
    written.unwrap_or_else(|| {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

fn source_value(
    sources: &mut Vec<RawSource<'_>>,
    name: &str,
    source: &str,
    key: &[&str],
    text: &str,
    findings: &mut Findings,
) {
    let at = findings.variable(name);
    let mut matching: Vec<_> = sources
        .iter_mut()
        .filter(|raw| raw.name().is_some_and(|n| variable_part(n) == source))
        .collect();
    let raw = match matching.as_mut_slice() {
        [one] => one,
        [] => {
            let mut table = DeTable::new();
            let name = source.to_lowercase();
            put(&mut table, "name", &at, owned(&name, &at));
            sources.push(RawSource {
                span: at.clone(),
                table,
            });
            let Some(made) = sources.last_mut() else {
                return;
            };
            made
        }
        [..] => {
            findings.add(
                at,
                "more than one source has that name when it is written in capitals",
                "rename one of them",
            );
            return;
        }
    };
    nest(&mut raw.table, key, &at, text);
}

/// Puts a text under a path of keys, making tables on the way.
fn nest(table: &mut DeTable<'_>, path: &[&str], at: &Range<usize>, text: &str) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let key = first.to_lowercase();
    if rest.is_empty() {
        put(table, &key, at, owned(text, at));
        return;
    }
    let below = table
        .entry(Spanned::new(at.clone(), Cow::Owned(key)))
        .or_insert_with(|| Spanned::new(at.clone(), DeValue::Table(DeTable::new())));
    if let DeValue::Table(below) = below.get_mut() {
        nest(below, rest, at, text);
    }
}

/// Replaces key and value, so that a message about the key names the variable too. `x` also replaces `x_file`, and that `x`.
fn put<'i>(table: &mut DeTable<'i>, key: &str, at: &Range<usize>, value: Value<'i>) {
    table.remove(key);
    let other = key
        .strip_suffix("_file")
        .map_or_else(|| format!("{key}_file"), str::to_owned);
    if table
        .get_key_value(other.as_str())
        .is_some_and(|(found, _)| !is_variable(&found.span()))
    {
        table.remove(other.as_str());
    }
    table.insert(Spanned::new(at.clone(), Cow::Owned(key.to_owned())), value);
}

fn owned(text: &str, at: &Range<usize>) -> Value<'static> {
    Spanned::new(at.clone(), DeValue::String(Cow::Owned(text.to_owned())))
}

/// The part of a variable's name that stands for a source: upper case, `_` for what a variable's name cannot hold.
pub(super) fn variable_part(source: &str) -> String {
    source
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}
