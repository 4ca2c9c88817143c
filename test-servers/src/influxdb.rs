use std::{process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    container::Container,
    free_port,
    place::{from_container, server},
    process::{Process, Program},
};

/// An InfluxDB 2 with an organisation `homelab` and a token that may do everything.
#[derive(Debug)]
pub struct Influxdb {
    // before what it runs from: it goes first
    process: Option<Process>,
    program: Program,
    port: u16,
    _directory: TempDir,
}

const IMAGE: &str = "influxdb:2.7.12";
const PATIENCE: Duration = Duration::from_secs(30);

impl Influxdb {
    /// The organisation.
    pub const ORG: &'static str = "homelab";
    /// The token of its operator.
    pub const TOKEN: &'static str = "a-token-that-only-tests-have";

    /// Starts one and sets it up.
    ///
    /// # Errors
    /// It is not built or does not start.
    pub fn start() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-influxdb-").tempdir()?;
        let port = free_port()?;
        let mut influxdb = Self {
            process: None,
            program: program(&directory, port)?,
            port,
            _directory: directory,
        };
        influxdb.restart()?;
        influxdb.set_up()?;
        Ok(influxdb)
    }

    fn set_up(&self) -> Result<()> {
        let body = format!(
            r#"{{"username":"admin","password":"a long enough pass phrase","org":"{}","bucket":"unused","token":"{}"}}"#,
            Self::ORG,
            Self::TOKEN
        );
        let done = Command::new("curl")
            .args(["-sS", "-f", "-X", "POST", "-d", &body])
            .arg(format!("{}/api/v2/setup", self.url()))
            .output()
            .context("curl is missing: scripts/install-missing test")?;
        ensure!(
            done.status.success(),
            "InfluxDB cannot be set up: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }

    /// Starts it again after a kill, on the same data, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let mut process = self.program.start()?;
        let url = format!("{}/health", self.url());
        process.wait_until("it is healthy", PATIENCE, |_| {
            Command::new("curl")
                .args(["-sf", "-m", "2", "-o", "/dev/null", &url])
                .status()
                .is_ok_and(|status| status.success())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Its process, if it runs.
    pub const fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn program(directory: &TempDir, port: u16) -> Result<Program> {
    let listen = format!("127.0.0.1:{port}");
    if from_container(IMAGE)? {
        let environment = [
            ("INFLUXD_HTTP_BIND_ADDRESS", listen.as_str()),
            ("INFLUXD_REPORTING_DISABLED", "true"),
            ("INFLUXD_LOG_LEVEL", "error"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        return Ok(Program::Container(Arc::new(Container::create(
            IMAGE,
            &environment,
        )?)));
    }
    let path = |name: &str| directory.path().join(name).display().to_string();
    let command = [
        server("influxd-2.7.12")?.display().to_string().as_str(),
        "--bolt-path",
        &path("bolt"),
        "--engine-path",
        &path("engine"),
        "--sqlite-path",
        &path("sqlite"),
        "--http-bind-address",
        &listen,
        "--reporting-disabled",
        "--log-level",
        "error",
    ]
    .map(str::to_owned);
    Ok(Program::Native {
        command: command.into(),
        log: directory.path().join("influxd.log"),
    })
}
