//! Which sources should run: a set that changes while they do.
//!
//! Whoever knows of sources says so through a [`Sources`], always with all that it knows: [`Sources::apply`]. What is new
//! starts, what is defined otherwise than before starts again, what is no longer named stops after its last events are on
//! their way; the rest is not touched. It never waits, so that a source may call it from its own poll.
//!
//! ```ignore
//! context.sources.apply(Supplier::Source(context.source.clone()), found);
//! ```

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemas::SourceName;
use tokio::sync::watch;
use tracing::warn;

use crate::SourceConfig;

/// Most sources that one source may find: a mistake or an attacker could make up any number.
const MOST_FOUND: usize = 500;

/// Who knows of sources.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Supplier {
    /// The configuration, or what is watched without one.
    Config,
    /// A source of the configuration that finds others, as a Docker Engine does by labels. What it found goes with it, and
    /// finds no further ones.
    Source(SourceName),
}

/// The sources that should run; a handle.
#[derive(Clone, Debug)]
pub struct Sources(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sets: Mutex<Sets>,
    /// Names of all that should run, and of what is reserved until the first set is known.
    names: watch::Sender<HashSet<SourceName>>,
}

#[derive(Debug, Default)]
struct Sets {
    by_supplier: BTreeMap<Supplier, Vec<SourceConfig>>,
    /// Names that were refused and told.
    refused: HashSet<(Supplier, SourceName)>,
}

impl Default for Sources {
    fn default() -> Self {
        Self::reserving(HashSet::new())
    }
}

impl Sources {
    /// None yet; names under which nobody else may tell anything meanwhile.
    pub fn reserving(names: HashSet<SourceName>) -> Self {
        Self(Arc::new(Inner {
            sets: Mutex::default(),
            names: watch::Sender::new(names),
        }))
    }

    /// Replaces all that a supplier knows.
    ///
    /// Of two with one name the configuration's runs, else that of the supplier whose name sorts first; the other is
    /// refused with a warning, and starts when the name becomes free.
    pub fn apply(&self, supplier: Supplier, mut sources: Vec<SourceConfig>) {
        if let Supplier::Source(finder) = &supplier
            && sources.len() > MOST_FOUND
        {
            warn!(
                source = %finder,
                found = sources.len(),
                "source `{finder}` found {} sources, of which the first {MOST_FOUND} are taken",
                sources.len()
            );
            sources.truncate(MOST_FOUND);
        }
        let mut sets = self.lock();
        if sources.is_empty() {
            sets.by_supplier.remove(&supplier);
        } else {
            sets.by_supplier.insert(supplier, sources);
        }
        // whoever follows looks at the whole set again
        self.0
            .names
            .send_replace(sets.choose().into_keys().collect());
    }

    /// The names of all that should run. It tells of every [`Sources::apply`].
    pub fn names(&self) -> watch::Receiver<HashSet<SourceName>> {
        self.0.names.subscribe()
    }

    /// What should run, by name.
    pub(crate) fn wanted(&self) -> BTreeMap<SourceName, SourceConfig> {
        self.lock().choose()
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.0.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sets {
    /// Whose source runs under each name; says once who was refused.
    fn choose(&mut self) -> BTreeMap<SourceName, SourceConfig> {
        let mut chosen: BTreeMap<SourceName, SourceConfig> = BTreeMap::new();
        let mut configured = HashSet::new();
        let mut refused = HashSet::new();
        for (supplier, sources) in &self.by_supplier {
            if let Supplier::Source(finder) = supplier
                && !configured.contains(finder)
            {
                continue;
            }
            for source in sources {
                if chosen.contains_key(&source.name) {
                    refused.insert((supplier.clone(), source.name.clone()));
                    continue;
                }
                if *supplier == Supplier::Config {
                    configured.insert(source.name.clone());
                }
                chosen.insert(source.name.clone(), source.clone());
            }
        }
        for (supplier, name) in refused.difference(&self.refused) {
            let whose = match supplier {
                Supplier::Config => "the configuration".to_owned(),
                Supplier::Source(finder) => format!("source `{finder}`"),
            };
            warn!(
                source = %name,
                "a source `{name}` of {whose} is not started: another has that name; give it its own"
            );
        }
        self.refused = refused;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::integrations;

    fn source(name: &str, interval: u64) -> SourceConfig {
        SourceConfig {
            name: SourceName::new(name).unwrap(),
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(1),
            integration: integrations::find("host")
                .unwrap()
                .parse(toml::Table::new())
                .unwrap(),
        }
    }

    fn found_by(name: &str) -> Supplier {
        Supplier::Source(SourceName::new(name).unwrap())
    }

    fn wanted(sources: &Sources) -> Vec<(String, u64)> {
        sources
            .wanted()
            .into_values()
            .map(|source| (source.name.to_string(), source.interval.as_secs()))
            .collect()
    }

    #[test]
    fn what_a_source_finds_goes_with_it() {
        let sources = Sources::default();
        let mut names = sources.names();
        sources.apply(
            Supplier::Config,
            vec![source("docker", 1), source("nas", 1)],
        );
        sources.apply(found_by("docker"), vec![source("web", 2)]);
        sources.apply(found_by("web"), vec![source("deeper", 2)]);
        let of = |pairs: &[(&str, u64)]| -> Vec<_> {
            pairs
                .iter()
                .map(|(name, i)| ((*name).to_owned(), *i))
                .collect()
        };
        assert_eq!(
            wanted(&sources),
            of(&[("docker", 1), ("nas", 1), ("web", 2)])
        );
        assert!(names.borrow_and_update().contains("web"));
        sources.apply(Supplier::Config, vec![source("nas", 1)]);
        assert_eq!(wanted(&sources), of(&[("nas", 1)]));
        assert!(!names.borrow_and_update().contains("web"));
    }

    #[test]
    fn the_configuration_wins_a_name_and_leaves_it_to_the_next() {
        let sources = Sources::default();
        sources.apply(found_by("docker"), vec![source("web", 2)]);
        assert!(wanted(&sources).is_empty(), "nobody configured its finder");
        sources.apply(
            Supplier::Config,
            vec![source("docker", 1), source("web", 1)],
        );
        assert_eq!(wanted(&sources)[1], ("web".to_owned(), 1));
        sources.apply(Supplier::Config, vec![source("docker", 1)]);
        assert_eq!(wanted(&sources)[1], ("web".to_owned(), 2));
        sources.apply(found_by("docker"), Vec::new());
        assert_eq!(wanted(&sources).len(), 1);
    }

    #[test]
    fn the_number_of_found_sources_is_bounded() {
        let sources = Sources::default();
        sources.apply(Supplier::Config, vec![source("docker", 1)]);
        let many = (0..MOST_FOUND + 9).map(|n| source(&format!("s{n}"), 1));
        sources.apply(found_by("docker"), many.collect());
        assert_eq!(wanted(&sources).len(), MOST_FOUND + 1);
    }

    #[test]
    fn a_source_is_the_same_while_it_is_defined_the_same() {
        let read = |options: &str| {
            let integration = integrations::find("docker")
                .unwrap()
                .parse(options.parse().unwrap())
                .unwrap();
            SourceConfig {
                integration,
                ..source("a", 1)
            }
        };
        let (one, other) = ("url = \"tcp://a:2375\"", "url = \"tcp://b:2375\"");
        assert!(read(one).is_same(&read(one)));
        assert!(!read(one).is_same(&read(other)));
        assert!(!source("a", 1).is_same(&read(one)), "another kind");
        assert!(!source("a", 1).is_same(&source("a", 2)));
        assert!(source("a", 1).is_same(&source("a", 1)));
    }

    #[test]
    fn a_source_is_another_when_there_is_something_else_in_a_file_that_it_names() {
        let directory = tempfile::tempdir().unwrap();
        for (kind, key) in [("proxmox", "ca"), ("docker", "ca"), ("docker", "key")] {
            let file = directory.path().join("file.pem");
            let options = format!(
                "url = \"https://a:1\"\ntls = {{ {key} = \"{}\" }}",
                file.display()
            );
            let read = || {
                let integration = integrations::find(kind)
                    .unwrap()
                    .parse(options.parse().unwrap())
                    .unwrap();
                assert_eq!(integration.files(), std::slice::from_ref(&file));
                SourceConfig {
                    integration,
                    ..source("a", 1)
                }
            };
            std::fs::write(&file, "one").unwrap();
            let one = read();
            std::fs::write(&file, "two").unwrap();
            let two = read();
            assert!(!one.is_same(&two), "{kind} {key}");
            std::fs::write(&file, "two").unwrap();
            assert!(two.is_same(&read()), "{kind} {key}");
            std::fs::remove_file(&file).unwrap();
            assert!(!two.is_same(&read()), "{kind} {key}");
        }
    }
}
