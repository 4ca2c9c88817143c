//! A section with a `kind` has options that belong to some kinds alone.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::{
    findings::Findings,
    section::{OptionDoc, SectionDoc},
    suggest,
};

const DEFAULT: &str = "embedded";

/// The kind that a section says, if it is one.
fn kind_of(doc: &SectionDoc, table: &DeTable<'_>) -> Option<&'static str> {
    let written = match table.get("kind") {
        Some(value) => value.get_ref().as_str()?,
        None => DEFAULT,
    };
    doc.options
        .iter()
        .flat_map(|option| option.kinds)
        .copied()
        .chain([DEFAULT])
        .find(|kind| *kind == written)
}

fn belongs(option: &OptionDoc, kind: &str) -> bool {
    option.kinds.is_empty() || option.kinds.contains(&kind)
}

/// Takes out, and tells, what belongs to another kind.
pub(super) fn sift(doc: &SectionDoc, table: &mut DeTable<'_>, findings: &mut Findings) {
    let Some(kind) = kind_of(doc, table) else {
        return;
    };
    for option in doc.options.iter().filter(|option| !belongs(option, kind)) {
        for key in [option.name.to_owned(), format!("{}_file", option.name)] {
            let Some((found, _)) = table.remove_entry(key.as_str()) else {
                continue;
            };
            let fix = match option.kinds {
                [only] => format!("write kind = \"{only}\" too, or remove it"),
                _ => "remove it".to_owned(),
            };
            findings.add(
                found.span(),
                format!(
                    "`{key}` belongs to kind {}, and [{}] is of kind `{kind}`",
                    suggest::list(option.kinds.iter().copied()),
                    doc.name
                ),
                fix,
            );
        }
    }
}

/// Tells what the kind needs and the section does not have.
pub(super) fn missing(
    doc: &SectionDoc,
    table: &DeTable<'_>,
    failed: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let (Some(kind), Some(written)) = (kind_of(doc, table), table.get("kind")) else {
        return;
    };
    for option in doc.options {
        let given = table.contains_key(option.name) || failed.contains(option.name);
        let needed = option.needed && option.kinds.contains(&kind);
        if needed && !given {
            let file = if option.secret {
                format!(", or {}_file = \"…\"", option.name)
            } else {
                String::new()
            };
            findings.add(
                written.span(),
                format!("kind `{kind}` needs `{}`", option.name),
                format!(
                    "add a line {} = {}{file}",
                    option.name,
                    option.like.unwrap_or("…")
                ),
            );
        }
    }
}
