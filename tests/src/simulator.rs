//! `homelog simulate`, for one test.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use schemas::Timestamp;
use serde_json::{Value, json};

use crate::{lab::binary, mock::Mock};

/// Mock services that end with the test.
pub struct Simulator {
    child: Child,
    /// What it printed.
    pub told: Value,
}

impl Simulator {
    /// Starts them on free ports, in a place where it is noon: at night things go wrong.
    ///
    /// # Errors
    /// They do not start.
    pub fn start(more: &[&str]) -> Result<Self> {
        Self::start_of(&binary()?, more)
    }

    /// The same of another binary.
    ///
    /// # Errors
    /// They do not start.
    pub fn start_of(homelog: &Path, more: &[&str]) -> Result<Self> {
        let mut child = Command::new(homelog)
            .args(["simulate", "--json", "--base-port", "0"])
            .args(more)
            .env("TZ", noon())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(output.take(1 << 20)).read_line(&mut line)?;
        let told = serde_json::from_str(&line).with_context(|| format!("it said `{line}`"))?;
        Ok(Self { child, told })
    }

    /// Those that a source of this Homelog reads.
    ///
    /// # Errors
    /// The config that comes with them is none.
    pub fn mocks(&self) -> Result<Vec<Mock>> {
        let config = self.told.pointer("/config").and_then(Value::as_str);
        let config: toml::Table = config.context("no config")?.parse()?;
        let sources = config.get("source").and_then(toml::Value::as_array);
        let sources = sources.context("no source")?.iter();
        sources
            .map(|source| Mock::of(source.as_table().context("a source is a table")?))
            .collect()
    }

    /// The services of a kind.
    pub fn services(&self, kind: &str) -> Vec<&Value> {
        let all = self.told["services"].as_array().into_iter().flatten();
        all.filter(|service| service["kind"] == kind).collect()
    }

    /// Where the first service of a kind is.
    ///
    /// # Errors
    /// There is none.
    pub fn url(&self, kind: &str) -> Result<String> {
        let services = self.services(kind);
        let url = services.first().and_then(|service| service["url"].as_str());
        Ok(url.with_context(|| format!("no {kind}"))?.to_owned())
    }

    /// Lets something go wrong, so many times.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn fault(&self, url: &str, kind: &str, count: u64) -> Result<()> {
        let answer = client()?
            .post(format!("{url}/_simulate/fault"))
            .json(&json!({"kind": kind, "rate": 1.0, "count": count}))
            .send()
            .await?;
        ensure!(answer.status() == 200, "{}", answer.text().await?);
        Ok(())
    }

    /// Asks it to stop; how it ended.
    ///
    /// # Errors
    /// It cannot be asked, or does not end in time.
    pub fn stop(mut self) -> Result<bool> {
        let id = self.child.id().to_string();
        ensure!(
            Command::new("kill").arg(&id).status()?.success(),
            "kill {id}"
        );
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("it does not stop");
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // it may have ended already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A time zone in which it is noon, as `TZ` has it.
pub fn noon() -> String {
    let hour = Timestamp::now().as_millis() / 3_600_000 % 24;
    // its sign is that of the way back to UTC
    format!("NOON{:+}", hour - 12)
}

/// A client that believes any certificate and gives up after some seconds.
///
/// # Errors
/// It cannot be made.
pub fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(8))
        .build()?)
}
