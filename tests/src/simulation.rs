//! The mock services, as `homelog simulate` starts them.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use test_servers::{Guarded, free_port};

/// All of them in one process.
#[derive(Debug)]
pub struct Simulation {
    process: Guarded,
    services: Vec<Mock>,
}

/// One that a source of this Homelog reads.
#[derive(Clone, Debug)]
pub struct Mock {
    /// The name of the source.
    pub name: String,
    /// The kind of the source.
    pub kind: String,
    /// Where the service is.
    pub url: String,
    /// The source, as the config that comes with the services has it.
    pub source: toml::Table,
}

const START: Duration = Duration::from_secs(30);

impl Simulation {
    /// Starts them; files are put into `place`.
    ///
    /// # Errors
    /// They do not start, or tell no config.
    pub fn start(homelog: &Path, place: &Path, seed: u64) -> Result<Self> {
        std::fs::create_dir_all(place)?;
        let told = place.join("services.json");
        let command = format!(
            "exec {} simulate --base-port {} --seed {seed} --json >{}",
            homelog.display(),
            first_port()?,
            told.display()
        );
        let mut process = Guarded::start(&["sh", "-c", &command], &[], &place.join("output.log"))?;
        process.wait_until("it tells its services", START, |_| {
            std::fs::read_to_string(&told).is_ok_and(|text| text.ends_with("}\n"))
        })?;
        let told: Value = serde_json::from_str(&std::fs::read_to_string(&told)?)?;
        let config = told.pointer("/config").and_then(Value::as_str);
        let config: toml::Table = config.context("no config")?.parse()?;
        let sources = config.get("source").and_then(toml::Value::as_array);
        let services = sources
            .context("no source")?
            .iter()
            .map(|source| {
                let source = source.as_table().context("a source is a table")?;
                let text = |key: &str| {
                    let text = source.get(key).and_then(toml::Value::as_str);
                    text.map(str::to_owned).with_context(|| format!("no {key}"))
                };
                Ok(Mock {
                    name: text("name")?,
                    kind: text("kind")?,
                    url: text("url")?,
                    source: source.clone(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(!services.is_empty(), "no service: {told}");
        Ok(Self { process, services })
    }

    /// Those that a source reads.
    pub fn services(&self) -> &[Mock] {
        &self.services
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }
}

/// The first of twenty ports that are free now.
fn first_port() -> Result<u16> {
    for _ in 0..50 {
        let first = free_port()?;
        let all_free = (0..20).all(|n| {
            first
                .checked_add(n)
                .is_some_and(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        });
        if all_free {
            return Ok(first);
        }
    }
    anyhow::bail!("no twenty free ports in a row")
}

impl Mock {
    /// Host and port.
    ///
    /// # Errors
    /// Its URL has no port.
    pub fn address(&self) -> Result<&str> {
        let rest = self
            .url
            .split_once("://")
            .map_or(&*self.url, |(_, rest)| rest);
        let address = rest.split('/').next().unwrap_or(rest);
        ensure!(address.contains(':'), "no port in {}", self.url);
        Ok(address)
    }

    /// The table of its source with other values.
    pub fn source_with(&self, changes: &BTreeMap<&str, toml::Value>) -> String {
        let mut source = self.source.clone();
        for (key, value) in changes {
            source.insert((*key).to_owned(), value.clone());
        }
        let (tables, values): (toml::Table, toml::Table) = source
            .into_iter()
            .partition(|(_, value)| value.is_table() || value.is_array());
        let inline: String = tables
            .into_iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        format!("[[source]]\n{values}{inline}\n")
    }

    /// From now on something goes wrong, with all requests or the next few. False: this service has no such fault.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn break_it(&self, fault: &str, count: Option<u64>) -> Result<bool> {
        let wanted = json!({"kind": fault, "rate": 1.0, "count": count});
        let answer = self.control(reqwest::Method::POST, Some(&wanted)).await?;
        Ok(answer.is_success())
    }

    /// All is well from now on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn mend(&self) -> Result<()> {
        let answer = self.control(reqwest::Method::DELETE, None).await?;
        ensure!(answer.is_success(), "{}: {answer}", self.name);
        Ok(())
    }

    async fn control(
        &self,
        method: reqwest::Method,
        body: Option<&Value>,
    ) -> Result<reqwest::StatusCode> {
        // whatever certificate it has at the moment
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .danger_accept_invalid_certs(true)
            .build()?;
        let url = format!(
            "{}/_simulate/fault",
            self.url.replacen("tcp://", "http://", 1)
        );
        let mut request = client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?.status())
    }
}
