use std::{
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::Result;
use tempfile::TempDir;

use crate::{Guarded, place::server};

const PATIENCE: Duration = Duration::from_secs(30);

/// Has metrics of every kind, with values that never change, from Prometheus' own client library.
const INSTRUMENTED: &str = include_str!("scraped/instrumented.py");

/// A real program that tells metrics.
#[derive(Debug)]
pub struct Scraped {
    // before its directory: it goes first
    process: Option<Guarded>,
    command: Vec<String>,
    environment: Vec<(&'static str, String)>,
    address: Ipv4Addr,
    port: u16,
    directory: TempDir,
}

impl Scraped {
    /// The usual port of `node_exporter`.
    pub const NODE_EXPORTER: u16 = 9100;
    /// The port of [`Scraped::instrumented`].
    pub const INSTRUMENTED: u16 = 8000;

    /// A `node_exporter` at its usual port, which speaks nothing but the text format.
    ///
    /// # Errors
    /// It is not there or does not start.
    pub fn node_exporter(address: Ipv4Addr) -> Result<Self> {
        let program = server("prometheus/usr/bin/prometheus-node-exporter")?;
        let listen = format!("--web.listen-address={address}:{}", Self::NODE_EXPORTER);
        let command = vec![program.display().to_string(), listen];
        Self::start(command, Vec::new(), address, Self::NODE_EXPORTER)
    }

    /// A program with Prometheus' client library for Python, which speaks `OpenMetrics` to whoever asks for it.
    ///
    /// # Errors
    /// Python or the library is not there, or it does not start.
    pub fn instrumented(address: Ipv4Addr) -> Result<Self> {
        let library = server("prometheus/usr/lib/python3/dist-packages")?;
        let port = Self::INSTRUMENTED.to_string();
        let command = ["python3", "-c", INSTRUMENTED, &address.to_string(), &port];
        let environment = vec![("PYTHONPATH", library.display().to_string())];
        let command = command.map(ToOwned::to_owned).to_vec();
        Self::start(command, environment, address, Self::INSTRUMENTED)
    }

    fn start(
        command: Vec<String>,
        environment: Vec<(&'static str, String)>,
        address: Ipv4Addr,
        port: u16,
    ) -> Result<Self> {
        let mut scraped = Self {
            process: None,
            command,
            environment,
            address,
            port,
            directory: tempfile::Builder::new().prefix("hl-scraped-").tempdir()?,
        };
        scraped.restart()?;
        Ok(scraped)
    }

    /// Kills it, if it runs.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Starts it, after [`Scraped::kill`] again.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let words: Vec<_> = self.command.iter().map(String::as_str).collect();
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let log = self.directory.path().join("scraped.log");
        let mut process = Guarded::start(&words, &environment, &log)?;
        wait_for(&mut process, self.address, self.port, PATIENCE)?;
        self.process = Some(process);
        Ok(())
    }

    /// Where its metrics are.
    pub fn url(&self) -> String {
        format!("http://{}:{}/metrics", self.address, self.port)
    }
}

/// Waits until a process takes connections.
pub(crate) fn wait_for(
    process: &mut Guarded,
    address: Ipv4Addr,
    port: u16,
    patience: Duration,
) -> Result<()> {
    process.wait_until(&format!("it listens on {port}"), patience, |_| {
        TcpStream::connect((address, port)).is_ok()
    })
}
