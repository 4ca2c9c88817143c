//! One mock service, and the source that reads it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::simulator::client;

/// How long an answer to a line may take.
const PATIENCE: Duration = Duration::from_secs(5);

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

impl Mock {
    /// That of a source.
    ///
    /// # Errors
    /// The source has no name, kind or URL.
    pub(crate) fn of(source: &toml::Table) -> Result<Self> {
        let text = |key: &str| {
            let text = source.get(key).and_then(toml::Value::as_str);
            text.map(str::to_owned)
                .with_context(|| format!("no {key} in {source}"))
        };
        Ok(Self {
            name: text("name")?,
            kind: text("kind")?,
            url: text("url")?,
            source: source.clone(),
        })
    }

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
        let mut text = format!("[[source]]\n{values}");
        for (key, value) in tables {
            for part in [key.as_str(), " = ", &value.to_string(), "\n"] {
                text.push_str(part);
            }
        }
        text.push('\n');
        text
    }

    /// From now on something goes wrong, with all requests or the next few. False: this service has no such fault.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn break_it(&self, fault: &str, count: Option<u64>) -> Result<bool> {
        if self.kind == "nut" {
            let count = count.map_or_else(String::new, |count| count.to_string());
            return Ok(self.line(&format!("_SIMULATE {fault} 1 {count}")).await? == "OK");
        }
        let wanted = json!({"kind": fault, "rate": 1.0, "count": count});
        let answer = self.control(Method::POST, Some(&wanted)).await?;
        Ok(answer.is_success())
    }

    /// All is well from now on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn mend(&self) -> Result<()> {
        if self.kind == "nut" {
            let said = self.line("_SIMULATE NONE").await?;
            ensure!(said == "OK", "{}: {said}", self.name);
            return Ok(());
        }
        let answer = self.control(Method::DELETE, None).await?;
        ensure!(answer.is_success(), "{}: {answer}", self.name);
        Ok(())
    }

    /// What a service that speaks in lines says to one.
    async fn line(&self, line: &str) -> Result<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.address()?).await?);
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_line(&mut answer)).await??;
        Ok(answer.trim_end().to_owned())
    }

    async fn control(&self, method: Method, body: Option<&Value>) -> Result<reqwest::StatusCode> {
        let scheme = if self.url.starts_with("https") {
            "https"
        } else {
            "http"
        };
        let url = format!("{scheme}://{}/_simulate/fault", self.address()?);
        let mut request = client()?.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?.status())
    }
}
