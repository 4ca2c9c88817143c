use std::{collections::BTreeSet, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use test_servers::Guarded;

/// Mock services, as `homelog simulate` starts them.
pub(crate) struct Services {
    _process: Guarded,
    all: Vec<Service>,
}

/// One of them: how the config that comes with it describes it.
pub(crate) struct Service {
    kind: String,
    /// Host and port.
    pub(crate) address: String,
    source: toml::Table,
}

const START: Duration = Duration::from_secs(30);

impl Services {
    pub(crate) fn start(homelog: &Path, place: &Path, seed: u64) -> Result<Self> {
        let place = place.join("services");
        std::fs::create_dir_all(&place)?;
        let told = place.join("services.json");
        let command = format!(
            "exec {} simulate --base-port {} --seed {seed} --json >{}",
            homelog.display(),
            test_servers::free_port()?,
            told.display()
        );
        let mut process = Guarded::start(&["sh", "-c", &command], &[], &place.join("output.log"))?;
        process.wait_until("it tells its services", START, |_| {
            std::fs::read_to_string(&told).is_ok_and(|text| text.contains("\"config\""))
        })?;
        let text = std::fs::read_to_string(&told)?;
        let told: Value = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .next()
            .context("it told nothing")??;
        let config = told.pointer("/config").and_then(Value::as_str);
        let config: toml::Table = config.context("no config")?.parse()?;
        let mut all = Vec::new();
        for source in config
            .get("source")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let source = source.as_table().context("a source is a table")?;
            let (Some(kind), Some(url)) = (text_of(source, "kind"), text_of(source, "url")) else {
                continue;
            };
            all.push(Service {
                kind: kind.to_owned(),
                address: address(url)?.to_owned(),
                source: source.clone(),
            });
        }
        if all.is_empty() {
            bail!("no service with an address: {text}");
        }
        Ok(Self {
            _process: process,
            all,
        })
    }

    /// One after the other, and again from the first.
    pub(crate) fn around(&self) -> impl Iterator<Item = &Service> {
        self.all.iter().cycle()
    }

    pub(crate) fn kinds(&self) -> usize {
        self.all
            .iter()
            .map(|service| &service.kind)
            .collect::<BTreeSet<_>>()
            .len()
    }
}

fn text_of<'a>(table: &'a toml::Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(toml::Value::as_str)
}

/// Host and port of an address.
fn address(url: &str) -> Result<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let address = rest.split('/').next().unwrap_or(rest);
    address
        .contains(':')
        .then_some(address)
        .with_context(|| format!("no port in {url}"))
}

impl Service {
    /// The table of a source that reads it through a link.
    pub(crate) fn source(&self, n: usize, link: SocketAddr, seconds: u64) -> Result<String> {
        let mut source = self.source.clone();
        let url = text_of(&source, "url").context("no url")?;
        let url = url.replace(&self.address, &link.to_string());
        source.insert(
            "name".to_owned(),
            format!("s{n}-{}", self.kind.replace('_', "-")).into(),
        );
        source.insert("url".to_owned(), url.into());
        source.insert("interval".to_owned(), format!("{seconds}s").into());
        Ok(format!("[[source]]\n{source}"))
    }
}
