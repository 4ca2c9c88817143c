use std::{fmt::Write as _, net::Ipv4Addr, time::Duration};

use anyhow::Result;
use tempfile::TempDir;

use crate::{Guarded, place::server, scraped::wait_for};

const PATIENCE: Duration = Duration::from_secs(30);

/// A real Prometheus at its usual port, which scrapes itself and others each second: somebody else who reads what they tell.
#[derive(Debug)]
pub struct Prometheus {
    // before its directory: it goes first
    process: Guarded,
    address: Ipv4Addr,
    _directory: TempDir,
}

impl Prometheus {
    /// Where it listens.
    pub const PORT: u16 = 9090;
    /// The job of itself.
    pub const ITSELF: &'static str = "prometheus";

    /// Starts it with jobs, each a name and a port of that address.
    ///
    /// # Errors
    /// It is not there or does not start.
    pub fn start(address: Ipv4Addr, jobs: &[(&str, u16)]) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("hl-prometheus-")
            .tempdir()?;
        let mut config =
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n".to_owned();
        for (job, port) in [(Self::ITSELF, Self::PORT)].iter().chain(jobs) {
            write!(
                config,
                "- job_name: {job}\n  static_configs:\n  - targets: [\"{address}:{port}\"]\n"
            )?;
        }
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config)?;
        let command = [
            server("prometheus/usr/bin/prometheus")?
                .display()
                .to_string(),
            format!("--config.file={}", file.display()),
            format!("--web.listen-address={address}:{}", Self::PORT),
            format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ),
        ];
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let mut process = Guarded::start(&words, &[], &directory.path().join("prometheus.log"))?;
        wait_for(&mut process, address, Self::PORT, PATIENCE)?;
        Ok(Self {
            process,
            address,
            _directory: directory,
        })
    }

    /// Its address, with the scheme.
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.address, Self::PORT)
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }
}
