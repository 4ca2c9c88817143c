//! `homelog.…`: the labels by which a container asks to be watched as a service.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use schemas::Fields;
use tracing::{info, warn};

use super::{containers::Containers, listed::Listed};
use crate::{Batch, Context, SourceConfig, found::Ask};

const PREFIX: &str = "homelog.";
/// Most labels of one container that are taken.
const MOST_LABELS: usize = 32;
/// Longest label that is taken, key or value.
const LONGEST: usize = 1024;
/// Most sources that one engine may ask for.
const MOST_SOURCES: usize = 256;

/// What the labels of one container ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked(Arc<Result<Ask, String>>);

impl Asked {
    /// Reads `homelog.*`; `None` where nothing is asked for.
    pub(super) fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let enable = labels.get("homelog.enable")?.trim().to_ascii_lowercase();
        let read = match enable.as_str() {
            "false" | "0" | "" => return None,
            "true" | "1" => read(labels),
            _ => Err("`homelog.enable` is neither true nor false".to_owned()),
        };
        Some(Self(Arc::new(read)))
    }
}

fn read(labels: &HashMap<String, String>) -> Result<Ask, String> {
    let ours: BTreeMap<&str, &str> = labels
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.trim())))
        .collect();
    if ours.len() > MOST_LABELS {
        return Err(format!(
            "more than {MOST_LABELS} labels begin with `{PREFIX}`"
        ));
    }
    let mut ask = Ask::default();
    for (key, value) in ours {
        if key.len() > LONGEST || value.len() > LONGEST {
            return Err(format!(
                "`{PREFIX}{}` is longer than {LONGEST} bytes",
                schemas::name::excerpt(key)
            ));
        }
        let value = value.to_owned();
        match key {
            "enable" => {}
            "kind" => ask.kind = Some(value),
            "name" => ask.name = Some(value),
            "interval" => ask.interval = Some(value),
            "timeout" => ask.timeout = Some(value),
            option => drop(ask.options.insert(option.to_owned(), value)),
        }
    }
    Ok(ask)
}

/// What each container asked for when it was looked at last, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    by_engine_id: HashMap<String, (Asked, Outcome)>,
    too_many: bool,
}

type Outcome = Result<SourceConfig, String>;

impl Found {
    /// Takes in a list. Returns all sources that are asked for, where they are others than before; a container that asks for
    /// what cannot be is told once.
    pub(super) fn take(
        &mut self,
        listed: &[Listed],
        containers: &mut Containers,
        context: &Context,
        batch: &mut Batch,
    ) -> Option<Vec<SourceConfig>> {
        let mut asking: Vec<_> = listed
            .iter()
            .filter_map(|entry| Some((entry, entry.asked.as_ref()?)))
            // one that compose only prepares has no name of its own yet
            .filter(|(entry, _)| containers.get_mut(&entry.engine_id).is_some())
            .collect();
        asking.sort_by_key(|(entry, _)| (entry.created, entry.engine_id.as_str()));
        if asking.len() > MOST_SOURCES && !std::mem::replace(&mut self.too_many, true) {
            warn!(
                source = %context.source,
                "{} containers ask for a source, the first {MOST_SOURCES} get one", asking.len()
            );
        }
        asking.truncate(MOST_SOURCES);
        let same = asking.len() == self.by_engine_id.len()
            && asking.iter().all(|(entry, asked)| {
                self.by_engine_id
                    .get(&entry.engine_id)
                    .is_some_and(|(before, _)| before == *asked)
            });
        if same {
            return None;
        }
        let before = std::mem::take(&mut self.by_engine_id);
        let mut named: HashMap<String, String> = HashMap::new();
        for (entry, asked) in asking {
            let known = before
                .get(&entry.engine_id)
                .filter(|(before, outcome)| before == asked && outcome.is_ok());
            let outcome = match known {
                Some((_, outcome)) => outcome.clone(),
                None => check(entry, asked, context),
            };
            let outcome = outcome.and_then(|source| {
                let holder = named
                    .entry(source.name.to_string())
                    .or_insert_with(|| entry.who.name.clone());
                if *holder == entry.who.name {
                    Ok(source)
                } else {
                    Err(format!(
                        "the name `{}` is taken by container `{holder}`: leave `homelog.name` out, so that each gets its own",
                        source.name
                    ))
                }
            });
            let told = before
                .get(&entry.engine_id)
                .and_then(|(_, outcome)| outcome.as_ref().err());
            if let Err(why) = &outcome
                && told != Some(why)
            {
                refuse(entry, why, containers, context, batch);
            }
            self.by_engine_id
                .insert(entry.engine_id.clone(), (asked.clone(), outcome));
        }
        let mut sources: Vec<_> = self
            .by_engine_id
            .values()
            .filter_map(|(_, outcome)| outcome.clone().ok())
            .collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        info!(
            source = %context.source,
            found = sources.len(),
            "the labels of containers ask for {} sources", sources.len()
        );
        Some(sources)
    }
}

fn check(entry: &Listed, asked: &Asked, context: &Context) -> Outcome {
    let ask = asked.0.as_ref().as_ref().map_err(String::clone)?;
    let called = match &entry.who.compose {
        Some((project, service, number)) => format!("{project}-{service}-{number}"),
        None => entry.who.name.clone(),
    };
    ask.check(context, &format!("{}.{called}", context.source))
}

fn refuse(
    entry: &Listed,
    why: &str,
    containers: &mut Containers,
    context: &Context,
    batch: &mut Batch,
) {
    warn!(
        source = %context.source,
        container = entry.who.name,
        "container `{}` asks for a source that cannot be: label {why}", entry.who.name
    );
    if let Some(known) = containers.get_mut(&entry.engine_id) {
        let mut fields = Fields::new();
        fields
            .set_text("action", "label_refused")
            .set_text("label_error", why);
        batch.change(batch.time(), known.entity.clone(), fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Option<Asked> {
        Asked::of(
            &pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn only_an_enabled_container_asks() {
        let kind = ("homelog.kind", "http_check");
        for nothing in [
            &[kind][..],
            &[kind, ("homelog.enable", "false")],
            &[("traefik.enable", "true")],
        ] {
            assert_eq!(asked(nothing), None);
        }
        let odd = asked(&[("homelog.enable", "perhaps")]).unwrap();
        assert!(odd.0.as_ref().as_ref().unwrap_err().contains("neither"));
        let asked = asked(&[
            kind,
            ("homelog.enable", "True"),
            ("homelog.url", " http://web "),
            ("other.url", "x"),
        ])
        .unwrap();
        let ask = asked.0.as_ref().as_ref().unwrap();
        assert_eq!(ask.kind.as_deref(), Some("http_check"));
        let options: Vec<_> = ask.options.iter().collect();
        assert_eq!(options, [(&"url".to_owned(), &"http://web".to_owned())]);
    }

    #[test]
    fn a_flood_of_labels_is_refused() {
        let mut labels: HashMap<_, _> = (0..100)
            .map(|n| (format!("homelog.option{n}"), "x".to_owned()))
            .collect();
        labels.insert("homelog.enable".to_owned(), "true".to_owned());
        let many = Asked::of(&labels).unwrap();
        assert!(many.0.as_ref().as_ref().unwrap_err().contains("more than"));
        let long = "x".repeat(5000);
        let long = asked(&[("homelog.enable", "1"), ("homelog.url", &long)]).unwrap();
        assert!(long.0.as_ref().as_ref().unwrap_err().contains("longer"));
    }
}
