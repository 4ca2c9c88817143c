//! `[[source]]`: what all sources share is read here, the rest by the integration of its kind.

use std::{collections::BTreeSet, ops::Range, path::Path, time::Duration};

use collector::{
    Context, Registration, SourceConfig, Sources, integrations, name_of_host,
    scheduler::DEFAULT_TIMEOUT,
};
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;
use toml::de::{DeTable, DeValue};

use super::{
    findings::Findings,
    params, secret_file,
    setting::{Setting, Value, text, within},
    suggest,
};

/// Keys that every source has.
pub(super) const COMMON: [&str; 4] = ["name", "kind", "interval", "timeout"];

/// What the name of an option holds that nobody may see.
const SECRETS: [&str; 5] = ["password", "token", "secret", "api_key", "headers"];

const INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24);
const TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_mins(10);

/// One source as it is written.
pub(super) struct RawSource<'i> {
    /// Where it begins.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) table: DeTable<'i>,
}

impl RawSource<'_> {
    /// Its name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        self.table.get("name")?.get_ref().as_str()
    }
}

/// Takes the sources out of the document.
pub(super) fn split<'i>(root: &mut DeTable<'i>, findings: &mut Findings) -> Vec<RawSource<'i>> {
    let Some(value) = root.remove("source") else {
        return Vec::new();
    };
    let span = value.span();
    let DeValue::Array(array) = value.into_inner() else {
        findings.add(
            span,
            "`source` is not a list of sections",
            "write [[source]], with two brackets, above each source",
        );
        return Vec::new();
    };
    array
        .into_iter()
        .filter_map(|item| {
            let span = item.span();
            let DeValue::Table(table) = item.into_inner() else {
                findings.add(
                    span,
                    "a source is a section",
                    "write [[source]], with two brackets, above each source",
                );
                return None;
            };
            Some(RawSource { span, table })
        })
        .collect()
}

/// Reads all sources; what is wrong with any of them is a finding.
pub(super) fn read_all(
    raw: Vec<RawSource<'_>>,
    base: &Path,
    findings: &mut Findings,
) -> Vec<SourceConfig> {
    let mut names = BTreeSet::new();
    raw.into_iter()
        .filter_map(|raw| read(raw, base, &mut names, findings))
        .collect()
}

fn read(
    raw: RawSource<'_>,
    base: &Path,
    names: &mut BTreeSet<SourceName>,
    findings: &mut Findings,
) -> Option<SourceConfig> {
    let RawSource { span, mut table } = raw;
    for (key, value) in &table {
        let key = key.get_ref().to_ascii_lowercase();
        if SECRETS.iter().any(|part| key.contains(part)) {
            findings.hide(value.span());
        }
    }
    let name = read_name(&mut table, &span, names, findings);
    let interval = duration(&mut table, "interval", INTERVAL, findings);
    let timeout = duration(&mut table, "timeout", TIMEOUT, findings);
    let registration = read_kind(&mut table, &span, findings)?;
    let known = params::known(registration);
    let resolved = secret_file::resolve(&mut table, &known, base, findings);
    secret_file::tls_from_base(&mut table, "tls", base);
    let shown = name.as_ref().map_or_else(
        || "this source".to_owned(),
        |name| format!("source `{name}`"),
    );
    let integration = params::read(
        registration,
        table,
        &known,
        context(name.as_ref()).as_ref(),
        (&shown, &span),
        resolved,
        findings,
    );
    Some(SourceConfig {
        name: name?,
        interval: interval.unwrap_or_else(|| registration.default_interval()),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        integration: integration?,
    })
}

/// What an integration is given while it is only looked whether it can begin.
fn context(name: Option<&SourceName>) -> Option<Context> {
    let hostname = hostname::get().ok()?;
    let hostname = name_of_host(&hostname.to_string_lossy());
    Some(Context {
        source: name.cloned().or_else(|| SourceName::new(&hostname).ok())?,
        agent: AgentName::new(&hostname).ok()?,
        hostname,
        supervisor: Supervisor::new(),
        sources: Sources::default(),
    })
}

fn read_name(
    table: &mut DeTable<'_>,
    source: &Range<usize>,
    names: &mut BTreeSet<SourceName>,
    findings: &mut Findings,
) -> Option<SourceName> {
    let Some(value) = table.remove("name") else {
        findings.add(
            source.clone(),
            "this source has no `name`",
            "add a line such as name = \"nas1\"",
        );
        return None;
    };
    let name = text(&value).and_then(|text| {
        SourceName::new(text).map_err(|e| super::findings::Fault {
            span: value.span(),
            message: format!("`{}` cannot be the name of a source", e.shown),
            fix: format!("use {}", e.rule),
        })
    });
    match name {
        Ok(name) if names.contains(&name) => {
            findings.add(
                value.span(),
                format!("there is another source with the name `{name}`"),
                "give each source its own name",
            );
            None
        }
        Ok(name) => {
            names.insert(name.clone());
            Some(name)
        }
        Err(fault) => {
            findings.fault(fault);
            None
        }
    }
}

fn read_kind(
    table: &mut DeTable<'_>,
    source: &Range<usize>,
    findings: &mut Findings,
) -> Option<&'static dyn Registration> {
    let kinds = || integrations::all().iter().map(|known| known.kind());
    let Some(value) = table.remove("kind") else {
        findings.add(
            source.clone(),
            "this source has no `kind`",
            format!(
                "add a line kind = \"…\": there is {}",
                suggest::list(kinds())
            ),
        );
        return None;
    };
    let kind = match text(&value) {
        Ok(kind) => kind,
        Err(fault) => {
            findings.fault(fault);
            return None;
        }
    };
    let found = integrations::find(kind);
    if found.is_none() {
        findings.add(
            value.span(),
            format!("`{}` is not a kind of source", schemas::name::excerpt(kind)),
            suggest::fix(kind, kinds().collect::<Vec<_>>()),
        );
    }
    found
}

fn duration(
    table: &mut DeTable<'_>,
    key: &str,
    bounds: std::ops::RangeInclusive<Duration>,
    findings: &mut Findings,
) -> Option<Duration> {
    let value: Value<'_> = table.remove(key)?;
    let read = Duration::read(&value)
        .and_then(|read| within(read, bounds, value.span()).map_err(|fault| vec![fault]));
    match read {
        Ok(read) => Some(read),
        Err(faults) => {
            for mut fault in faults {
                fault.message = format!("`{key}`: {}", fault.message);
                findings.fault(fault);
            }
            None
        }
    }
}
