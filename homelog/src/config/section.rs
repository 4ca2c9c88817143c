//! A section of the file is a struct: its doc comments are the comments of the example, its fields the settings.

use std::{ops::Range, path::Path};

use toml::de::DeTable;

use super::{
    findings::{Fault, Findings},
    kinds, secret_file,
    setting::{Setting, Value, type_name},
    suggest,
};

/// One setting, for the example and for messages.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub(super) struct OptionDoc {
    /// Its key.
    pub(super) name: &'static str,
    /// What it means, line by line.
    pub(super) doc: &'static [&'static str],
    /// Its default as TOML writes it.
    pub(super) default: fn() -> String,
    /// Whether it is a list.
    pub(super) list: bool,
    /// Whether it may stand in a file that `<name>_file` names.
    pub(super) secret: bool,
    /// Whether it is the path of a file, meant from the directory of the config file.
    pub(super) path: bool,
    /// The kinds of its section that it belongs to; none means all.
    pub(super) kinds: &'static [&'static str],
    /// Whether those kinds cannot do without it.
    pub(super) needed: bool,
    /// What it may look like, where its default says nothing.
    pub(super) like: Option<&'static str>,
}

/// The first of some texts, if there is one.
pub(super) const fn first(texts: &[&'static str]) -> Option<&'static str> {
    match texts {
        [first, ..] => Some(first),
        [] => None,
    }
}

/// Whether a kind cannot do without an option.
pub(super) const fn is_needed(word: &str) -> bool {
    matches!(word.as_bytes(), b"needed")
}

/// One section, for the example and for messages.
pub(super) struct SectionDoc {
    /// Its key.
    pub(super) name: &'static str,
    /// What it means, line by line.
    pub(super) doc: &'static [&'static str],
    /// Its settings in the order of the example.
    pub(super) options: &'static [OptionDoc],
}

/// A struct that is a section.
pub(super) trait Section: Default {
    /// What it is.
    const DOC: SectionDoc;

    /// Takes its settings out of a table; what is absent or wrong has its default.
    fn take(table: &mut DeTable<'_>, findings: &mut Findings) -> Self;
}

/// Declares a section: documentation, types and defaults in one place.
///
/// After the default may stand `=> ["kind", …] needed "example"` (or `optional`): the option belongs to those kinds alone (an
/// empty list means all), and the example config shows it as a comment.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        $name:ident as $key:literal {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident: $type:ty = $default:expr
                    $(=> [$($kind:literal),*] $need:ident $like:literal)?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::config::section::Section for $name {
            const DOC: $crate::config::section::SectionDoc = $crate::config::section::SectionDoc {
                name: $key,
                doc: &[$($doc),*],
                options: &[$(
                    $crate::config::section::OptionDoc {
                        name: stringify!($field),
                        doc: &[$($field_doc),*],
                        default: || $crate::config::setting::Setting::write(&Self::default().$field),
                        list: <$type as $crate::config::setting::Setting>::LIST,
                        secret: <$type as $crate::config::setting::Setting>::SECRET,
                        path: <$type as $crate::config::setting::Setting>::PATH,
                        kinds: &[$($($kind),*)?],
                        needed: false $(|| $crate::config::section::is_needed(stringify!($need)))?,
                        like: $crate::config::section::first(&[$($like)?]),
                    },
                )*],
            };

            fn take(
                table: &mut toml::de::DeTable<'_>,
                findings: &mut $crate::config::findings::Findings,
            ) -> Self {
                let default = Self::default();
                Self {
                    $( $field: $crate::config::section::take(table, stringify!($field), default.$field, findings), )*
                }
            }
        }
    };
}
pub(super) use section;

/// Takes one setting out of a table; what is absent or wrong has its default.
pub(super) fn take<T: Setting>(
    table: &mut DeTable<'_>,
    name: &str,
    default: T,
    findings: &mut Findings,
) -> T {
    let Some(value) = table.remove(name) else {
        return default;
    };
    match T::read(&value) {
        Ok(read) => read,
        Err(faults) => {
            for fault in faults {
                findings.fault(Fault {
                    message: format!("`{name}`: {}", fault.message),
                    ..fault
                });
            }
            default
        }
    }
}

/// Settings that have a meaning elsewhere and none here: (section, key, why).
const WITHOUT_EFFECT: &[(&str, &str, &str)] = &[
    (
        "retention",
        "rollup_5m",
        "there are no rollups, only raw points",
    ),
    (
        "retention",
        "rollup_1h",
        "there are no rollups, only raw points",
    ),
    ("retention", "changes", "changes are kept as long as `raw`"),
    (
        "retention",
        "max_disk",
        "data goes by age only: `events` and `raw`",
    ),
];

/// Reads a section, telling every key that is not one of its settings. Paths are meant from `base`.
pub(super) fn read<S: Section>(root: &mut DeTable<'_>, base: &Path, findings: &mut Findings) -> S {
    let Some(value) = root.remove(S::DOC.name) else {
        return S::default();
    };
    let Some(mut table) = as_table(S::DOC.name, value, findings) else {
        return S::default();
    };
    for option in S::DOC.options.iter().filter(|option| option.secret) {
        if let Some(value) = table.get(option.name) {
            findings.hide(value.span());
        }
    }
    kinds::sift(&S::DOC, &mut table, findings);
    let secrets: Vec<_> = S::DOC
        .options
        .iter()
        .filter(|option| option.secret)
        .map(|option| option.name)
        .collect();
    let failed = secret_file::resolve(&mut table, &secrets, base, findings);
    kinds::missing(&S::DOC, &table, &failed, findings);
    for option in S::DOC.options.iter().filter(|option| option.path) {
        secret_file::from_base(&mut table, option.name, base);
    }
    let section = S::take(&mut table, findings);
    for (key, _) in &table {
        unknown(&S::DOC, key.get_ref(), key.span(), findings);
    }
    section
}

fn as_table<'i>(name: &str, value: Value<'i>, findings: &mut Findings) -> Option<DeTable<'i>> {
    let span = value.span();
    match value.into_inner() {
        toml::de::DeValue::Table(table) => Some(table),
        other => {
            findings.add(
                span,
                format!("`{name}` is {}, not a section", type_name(&other)),
                format!("write [{name}] on a line of its own and the settings below it"),
            );
            None
        }
    }
}

fn unknown(doc: &SectionDoc, key: &str, span: Range<usize>, findings: &mut Findings) {
    let known = doc.options.iter().map(|option| option.name);
    match WITHOUT_EFFECT
        .iter()
        .find(|(section, name, _)| *section == doc.name && *name == key)
    {
        Some((_, _, why)) => findings.add(
            span,
            format!("`{key}` would do nothing: {why}"),
            "remove it",
        ),
        None => findings.add(
            span,
            format!(
                "`{}` is not a setting of [{}]",
                schemas::name::excerpt(key),
                doc.name
            ),
            suggest::fix(key, known),
        ),
    }
}

/// Tells every section that is none of ours.
pub(super) fn unknown_sections(
    root: &DeTable<'_>,
    sections: &[SectionDoc],
    findings: &mut Findings,
) {
    let known = sections.iter().map(|doc| doc.name).chain(["source"]);
    for (key, value) in root {
        let name = key.get_ref();
        let home = sections
            .iter()
            .find(|doc| doc.options.iter().any(|option| option.name == name));
        let fix = match home {
            Some(doc) if !value.get_ref().is_table() => format!("put it below [{}]", doc.name),
            _ => suggest::fix(name, known.clone()),
        };
        findings.add(
            key.span(),
            format!("there is no section `{}`", schemas::name::excerpt(name)),
            fix,
        );
    }
}
