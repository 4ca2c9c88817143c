//! One mock service, and the source that reads it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::simulator::client;

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
        let wanted = json!({"kind": fault, "rate": 1.0, "count": count});
        let answer = self.control(Method::POST, Some(&wanted)).await?;
        Ok(answer.is_success())
    }

    /// All is well from now on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn mend(&self) -> Result<()> {
        let answer = self.control(Method::DELETE, None).await?;
        ensure!(answer.is_success(), "{}: {answer}", self.name);
        Ok(())
    }

    async fn control(&self, method: Method, body: Option<&Value>) -> Result<reqwest::StatusCode> {
        let base = self.url.replacen("tcp://", "http://", 1);
        let mut request = client()?.request(method, format!("{base}/_simulate/fault"));
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?.status())
    }
}
