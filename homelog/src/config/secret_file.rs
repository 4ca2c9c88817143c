//! `password_file = "…"` in the place of `password = "…"`.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use collector::integration::TLS_FILES;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{findings::Findings, setting::text};

const SUFFIX: &str = "_file";
/// No secret is longer, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Reads a secret from a file, without the line break at its end.
///
/// # Errors
/// In words, with the path.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut content = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut content))
        .map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if content.len() as u64 > LONGEST {
        return Err(format!("{shown} is larger than a secret may be (64 KiB)"));
    }
    let secret = content.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{shown} is empty"));
    }
    Ok(secret.to_owned())
}

/// Replaces every `x_file` by the `x` that stands in the file. Returns the options for which that failed.
pub(super) fn resolve(
    table: &mut DeTable<'_>,
    known: &[&str],
    base: &Path,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let mut failed = BTreeSet::new();
    for option in known {
        let key = format!("{option}{SUFFIX}");
        if known.contains(&key.as_str()) {
            continue;
        }
        let Some((found, value)) = table.remove_entry(key.as_str()) else {
            continue;
        };
        if table.contains_key(*option) {
            findings.add(
                found.span(),
                format!("`{option}` and `{key}` are both set"),
                "keep one of them",
            );
            failed.insert((*option).to_owned());
            continue;
        }
        let secret = text(&value)
            .map_err(|fault| (fault.message, fault.fix))
            .and_then(|path| {
                let path = at(base, path);
                findings.file(path.clone());
                read(&path).map_err(|message| {
                    (
                        message,
                        "write the secret into that file, or correct the path".to_owned(),
                    )
                })
            });
        match secret {
            Ok(secret) => {
                table.insert(
                    Spanned::new(found.span(), Cow::Owned((*option).to_owned())),
                    Spanned::new(value.span(), DeValue::String(Cow::Owned(secret))),
                );
            }
            Err((message, fix)) => {
                findings.add(value.span(), format!("`{key}`: {message}"), fix);
                failed.insert((*option).to_owned());
            }
        }
    }
    failed
}

/// Makes an option, or the files in the table that it is, paths from the directory of the config file.
pub(super) fn from_base(table: &mut DeTable<'_>, option: &str, base: &Path) {
    match table.get_mut(option).map(Spanned::get_mut) {
        Some(DeValue::Table(_)) => tls_from_base(table, option, base),
        Some(value) => path_from_base(value, base),
        None => {}
    }
}

/// The same of the files in a table alone: `tls = { ca = "file" }`.
pub(super) fn tls_from_base(table: &mut DeTable<'_>, option: &str, base: &Path) {
    let Some(DeValue::Table(tls)) = table.get_mut(option).map(Spanned::get_mut) else {
        return;
    };
    for file in TLS_FILES {
        if let Some(value) = tls.get_mut(file) {
            path_from_base(value.get_mut(), base);
        }
    }
}

fn path_from_base(value: &mut DeValue<'_>, base: &Path) {
    if let DeValue::String(path) = value {
        *path = Cow::Owned(at(base, path).to_string_lossy().into_owned());
    }
}

/// A relative path is meant from the directory of the config file.
fn at(base: &Path, path: &str) -> PathBuf {
    base.join(path)
}
