//! The configuration: a TOML file with the environment laid over it, read in two phases so that every mistake is told at
//! once, each with its place and what to do.

mod address;
mod cross;
mod example;
mod findings;
mod kind;
mod kinds;
mod network;
mod overlay;
mod params;
mod places;
mod problem;
mod quantity;
mod secret;
mod secret_file;
mod section;
mod sections;
mod setting;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod tls;

pub use address::{Agent, Brokers, HttpUrl, Name, Prefix};
pub use example::example;
pub use kind::{ControlKind, LogKind, Mechanism, StoreKind};
pub use network::HostName;
pub use problem::{Place, Problem, Problems, Style};
pub use quantity::{Count, Size};
pub use secret::{PostgresUrl, Secret};
pub use sections::{Age, Api, Collect, Control, Ingest, Log, Retention, Store};
pub use tls::{CaFile, KeyFile, Tls};

pub(crate) use secret_file::read as read_secret;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use collector::SourceConfig;
use toml::de::DeTable;

use crate::env::Env;
use findings::Findings;
use section::{Section, SectionDoc};

/// A config file of more bytes is not one.
const LARGEST: u64 = 1024 * 1024;

/// Everything that can be set.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The event log.
    pub log: Log,
    /// The time-series store.
    pub store: Store,
    /// The control store.
    pub control: Control,
    /// Collecting for a log that is elsewhere.
    pub collect: Collect,
    /// The workers that take events from the log into the store.
    pub ingest: Ingest,
    /// The dashboard and the HTTP API.
    pub api: Api,
    /// How long data is kept.
    pub retention: Retention,
    /// What is observed; nothing means this host and its Docker Engine.
    pub sources: Vec<SourceConfig>,
}

impl Config {
    /// The sections, besides the sources, in which another configuration differs.
    pub(crate) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            log,
            store,
            control,
            collect,
            ingest,
            api,
            retention,
            sources: _,
        } = self;
        [
            (Log::DOC.name, *log == other.log),
            (Store::DOC.name, *store == other.store),
            (Control::DOC.name, *control == other.control),
            (Collect::DOC.name, *collect == other.collect),
            (Ingest::DOC.name, *ingest == other.ingest),
            (Api::DOC.name, *api == other.api),
            (Retention::DOC.name, *retention == other.retention),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(name, _)| name)
        .collect()
    }
}

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is odd about it, but no mistake.
    pub warnings: Vec<String>,
}

/// Every section but the sources, in the order of the example.
const SECTIONS: [SectionDoc; 7] = [
    Log::DOC,
    Store::DOC,
    Control::DOC,
    Collect::DOC,
    Ingest::DOC,
    Api::DOC,
    Retention::DOC,
];

/// Reads a file, or nothing, and lays the environment over it.
///
/// # Errors
/// Every mistake that is in them.
pub fn load(path: Option<&Path>, env: &Env) -> Result<Loaded, Problems> {
    load_from(path, env).result
}

/// What reading a configuration came to.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What it says, or what is wrong with it.
    pub(crate) result: Result<Loaded, Problems>,
    /// The files that it names, there or not: with secrets, and with the authorities and certificates of sources.
    pub(crate) files: Vec<PathBuf>,
}

/// As [`load`], with the files that belong to it.
pub(crate) fn load_from(path: Option<&Path>, env: &Env) -> Reading {
    let Some(path) = path else {
        return read_text("the environment", "", Path::new("."), env);
    };
    let name = path.display().to_string();
    match read_file(path) {
        Ok(text) => {
            let base = path.parent().unwrap_or(Path::new("."));
            read_text(&name, &text, base, env)
        }
        Err((message, fix)) => {
            let problem = Problem {
                place: Place::Nowhere,
                message,
                fix,
            };
            Reading {
                result: Err(Problems::new(&name, "", vec![problem])),
                files: Vec::new(),
            }
        }
    }
}

fn read_file(path: &Path) -> Result<String, (String, String)> {
    let shown = path.display();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| {
            (
                format!("{shown} cannot be read: {e}"),
                "name the config file with --config FILE".to_owned(),
            )
        })?;
    if bytes.len() as u64 > LARGEST {
        return Err((
            format!("{shown} is larger than a config file may be (1 MiB)"),
            "name the config file with --config FILE".to_owned(),
        ));
    }
    String::from_utf8(bytes).map_err(|e| {
        (
            format!(
                "{shown} is not UTF-8 text: byte {} is not",
                e.utf8_error().valid_up_to()
            ),
            "save it as UTF-8".to_owned(),
        )
    })
}

/// Reads a text as a config file of that name; paths in it are relative to `base`.
///
/// # Errors
/// Every mistake that is in it.
pub fn parse(name: &str, text: &str, base: &Path, env: &Env) -> Result<Loaded, Problems> {
    read_text(name, text, base, env).result
}

fn read_text(name: &str, text: &str, base: &Path, env: &Env) -> Reading {
    let mut findings = Findings::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut root = document.into_inner();
    for error in &errors {
        findings.add(
            findings::visible(text, error.span().unwrap_or(0..0)),
            error.message().trim_end().replace('\n', ", "),
            "correct the TOML there: key = value, texts in \"quotes\", sections in [brackets]",
        );
    }
    let mut raw = source::split(&mut root, &mut findings);
    overlay::apply(&mut root, &mut raw, &SECTIONS, env, &mut findings);
    cross::check(&root, &mut findings);
    let config = Config {
        log: section::read(&mut root, base, &mut findings),
        store: section::read(&mut root, base, &mut findings),
        control: section::read(&mut root, base, &mut findings),
        collect: section::read(&mut root, base, &mut findings),
        ingest: section::read(&mut root, base, &mut findings),
        api: section::read(&mut root, base, &mut findings),
        retention: section::read(&mut root, base, &mut findings),
        sources: source::read_all(raw, base, &mut findings),
    };
    section::unknown_sections(&root, &SECTIONS, &mut findings);
    let shown = findings.without_secrets(text);
    let files = findings.take_files();
    let (problems, warnings) = findings.finish(text, &errors);
    let result = if problems.is_empty() {
        Ok(Loaded { config, warnings })
    } else {
        Err(Problems::new(name, shown, problems))
    };
    Reading { result, files }
}
