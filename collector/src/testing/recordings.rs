//! Every answer that was recorded from a real service, through the integration that reads it, held against what a person found
//! in it: `recordings/`, one file for each folder of recordings. The recordings themselves are not in the repository.
//!
//! A line of these files is a recording and what has to become of it, indented lines below it some of what is told:
//!
//! ```text
//! stats_top_clients.json: 4 entities, 4 fields
//!     dns_client/127.0.0.4 queries_count 30
//! auth_bad_password.json: bad_credentials
//! auth_ok.json: a session
//! ```
//!
//! An answer to a question that is not asked stands in for the one that is asked first: nothing may be made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use schemas::Timestamp;

use super::variable;
use crate::{Batch, FailureClass, PollError, batch::Observation, integrations::recorded};

/// What a person found: recordings of a folder, and the kind of integration that reads them.
const FOUND: &[(&str, &str, &str)] = &[
    ("docker", "docker", include_str!("recordings/docker.txt")),
    (
        "homeassistant",
        "home_assistant",
        include_str!("recordings/homeassistant.txt"),
    ),
    ("next_nut", "nut", include_str!("recordings/next_nut.txt")),
    (
        "next_smartctl",
        "smart",
        include_str!("recordings/next_smartctl.txt"),
    ),
    (
        "pihole_v5",
        "pihole",
        include_str!("recordings/pihole_v5.txt"),
    ),
    (
        "pihole_v6",
        "pihole",
        include_str!("recordings/pihole_v6.txt"),
    ),
    (
        "prometheus",
        "prometheus",
        include_str!("recordings/prometheus.txt"),
    ),
    ("proxmox", "proxmox", include_str!("recordings/proxmox.txt")),
    ("qnap", "qnap", include_str!("recordings/qnap.txt")),
    (
        "synology",
        "synology",
        include_str!("recordings/synology.txt"),
    ),
];

/// What becomes of a recording.
#[derive(Debug)]
pub(crate) enum Became {
    /// What is told of it, and of nothing else.
    Told(Vec<Observation>),
    /// No good.
    Refused(FailureClass),
    /// Understood, but nothing that is told by itself.
    Understood(String),
}

impl From<PollError> for Became {
    fn from(e: PollError) -> Self {
        assert!(!e.message.contains('\n'), "{e}");
        Self::Refused(e.class)
    }
}

impl Became {
    /// All that was told of these types of entity.
    pub(crate) fn of(told: Vec<Observation>, types: &[&str]) -> Self {
        Self::fields_of(told, types, |_| true)
    }

    /// What was told of these types of entity in some fields.
    pub(crate) fn fields_of(
        told: Vec<Observation>,
        types: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let told = told.into_iter().filter_map(|mut event| {
            let is_wanted = types.contains(&event.entity.entity_type.as_str());
            let mut fields = schemas::Fields::new();
            for (name, value) in event.fields.iter() {
                if is_wanted && wanted(name.as_str()) {
                    fields.set(name.clone(), value.clone());
                }
            }
            event.fields = fields;
            (!event.fields.is_empty()).then_some(event)
        });
        Self::Told(told.collect())
    }

    fn told(&self) -> &[Observation] {
        match self {
            Self::Told(told) => told,
            Self::Refused(_) | Self::Understood(_) => &[],
        }
    }

    /// Whether a field of an entity, `type/id`, has a value somewhere.
    fn tells(&self, key: &str, field: &str, value: &str) -> bool {
        self.told().iter().any(|event| {
            key_of(event) == key
                && event
                    .fields
                    .get(field)
                    .is_some_and(|told| told.to_string() == value)
        })
    }
}

/// `type/id`, a blank as `%20`.
fn key_of(event: &Observation) -> String {
    format!("{}/{}", event.entity.entity_type, event.entity.id).replace(' ', "%20")
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(told) => {
                let entities: BTreeSet<_> = told.iter().map(key_of).collect();
                let fields: usize = told.iter().map(|event| event.fields.len()).sum();
                let plural = |n| if n == 1 { ("y", "") } else { ("ies", "s") };
                write!(
                    f,
                    "{} entit{}, {fields} field{}",
                    entities.len(),
                    plural(entities.len()).0,
                    plural(fields).1
                )
            }
            Self::Refused(class) => f.write_str(class.as_str()),
            Self::Understood(what) => f.write_str(what),
        }
    }
}

/// A poll on the day after the recordings, whatever day it is: ages and terms count from there.
pub(crate) fn batch() -> Batch {
    // 2026-11-24
    Batch::at(Timestamp::from_millis(1_795_478_400_000))
}

/// What a person found in one recording.
#[derive(Default)]
struct Found {
    became: String,
    values: Vec<String>,
}

fn found(text: &str) -> BTreeMap<String, Found> {
    let mut all = BTreeMap::new();
    let mut last = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(value) = line.strip_prefix("    ") {
            let found: &mut Found = all.get_mut(last.as_ref().unwrap()).unwrap();
            found.values.push(value.to_owned());
        } else if let Some((file, became)) = line.split_once(": ") {
            let found = Found {
                became: became.to_owned(),
                values: Vec::new(),
            };
            let before = all.insert(file.to_owned(), found);
            assert!(before.is_none(), "{file} stands there twice");
            last = Some(file.to_owned());
        } else {
            assert!(line.is_empty(), "`{line}` is no line of this file");
        }
    }
    all
}

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The folders below one.
fn folders(root: &Path) -> BTreeSet<String> {
    names(root)
        .into_iter()
        .filter(|name| root.join(name).is_dir())
        .collect()
}

async fn read(kind: &str, folder: &Path, name: &str) -> Became {
    match kind {
        "docker" => recorded::docker(folder, name).await,
        "home_assistant" => recorded::home_assistant(folder, name).await,
        "nut" => recorded::nut(folder, name).await,
        "pihole" => recorded::pihole(folder, name).await,
        "prometheus" => recorded::prometheus(folder, name),
        "proxmox" => recorded::proxmox(folder, name).await,
        "qnap" => recorded::qnap(folder, name).await,
        "smart" => recorded::smart(folder, name).await,
        "synology" => recorded::synology(folder, name).await,
        other => panic!("nobody reads the recordings of {other}"),
    }
}

/// What is wrong with one recording, and how many of its values were compared.
fn compare(found: &Found, became: &Became) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    if became.to_string() != found.became {
        wrong.push(format!("became {became}, expected {}", found.became));
    }
    if !became.told().is_empty() && found.values.is_empty() {
        wrong.push("none of its values is written down".to_owned());
    }
    for value in &found.values {
        let mut words = value.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (key, field, expected) = (word(), word(), word());
        if !became.tells(key, field, expected) {
            let told: Vec<_> = became
                .told()
                .iter()
                .filter(|event| key_of(event) == key)
                .filter_map(|event| event.fields.get(field))
                .map(ToString::to_string)
                .collect();
            wrong.push(format!("{value}: told is {told:?}"));
        }
    }
    (wrong, found.values.len())
}

#[tokio::test]
async fn every_recording_becomes_what_a_person_found_in_it() {
    let Some(root) = variable("HOMELOG_RECORDINGS").map(PathBuf::from) else {
        return;
    };
    let known: BTreeSet<_> = FOUND
        .iter()
        .map(|(folder, ..)| (*folder).to_owned())
        .collect();
    assert_eq!(folders(&root), known, "folders of {}", root.display());
    let (mut files, mut told, mut refused, mut values) = (0, 0, 0, 0);
    let mut all_wrong = Vec::new();
    for (folder, kind, text) in FOUND {
        let found = found(text);
        let there = names(&root.join(folder));
        assert!(!there.is_empty(), "{folder} has no recordings");
        for name in found.keys().filter(|name| !there.contains(*name)) {
            all_wrong.push(format!("{folder}/{name} is expected, but not there"));
        }
        for name in there {
            let Some(found) = found.get(&name) else {
                all_wrong.push(format!("{folder}/{name}: nobody wrote down what it holds"));
                continue;
            };
            let became = read(kind, &root.join(folder), &name).await;
            let (wrong, compared) = compare(found, &became);
            println!(
                "{:<72} {kind:<14} {:<24} {}",
                format!("{folder}/{name}"),
                became.to_string(),
                found.values.first().map_or("", String::as_str)
            );
            all_wrong.extend(
                wrong
                    .iter()
                    .map(|wrong| format!("{folder}/{name}: {wrong}")),
            );
            files += 1;
            values += compared;
            told += usize::from(matches!(became, Became::Told(_)));
            refused += usize::from(matches!(became, Became::Refused(_)));
        }
    }
    println!(
        "{files} recordings: {told} are told, {refused} refused, {} understood; {values} values compared",
        files - told - refused
    );
    assert!(files > 0);
    assert!(all_wrong.is_empty(), "{all_wrong:#?}");
}
