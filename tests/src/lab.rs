//! A Homelog of its own for one test: the real binary, a data directory, a port.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::RequestBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::client::Client;

/// The password of `admin` in every lab.
pub const PASSWORD: &str = "a long enough pass phrase";

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// The binary that `cargo test --workspace` has built beside the running test.
pub fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let built = test
        .parent()
        .and_then(Path::parent)
        .context("no target directory")?
        .join("homelog");
    ensure!(
        built.exists(),
        "{} is not built: run `cargo build -p homelog` or the whole workspace's tests",
        built.display()
    );
    Ok(built)
}

/// One Homelog.
pub struct Lab {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
    client: Client,
    wrapper: Vec<String>,
}

impl Lab {
    /// Starts one with this configuration and makes an API token of the admin.
    pub async fn start(config: &str) -> Result<Self> {
        Self::start_under(config, &[]).await
    }

    /// The same under another program, such as `strace -f …`.
    pub async fn start_under(config: &str, wrapper: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("homelog.toml"), config)?;
        let port = test_servers::free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let mut lab = Self {
            directory,
            port,
            child: None,
            client: Client::new(&url, "")?,
            wrapper: wrapper.iter().map(ToString::to_string).collect(),
        };
        lab.spawn()?;
        lab.wait_ready().await?;
        lab.client = Client::log_in(&url, START).await?;
        Ok(lab)
    }

    /// Starts the process without waiting for it.
    pub fn spawn(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("output.log"))?;
        let mut command = match self.wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary()?);
                command
            }
            None => Command::new(binary()?),
        };
        command
            .arg("up")
            .arg("--config")
            .arg(self.path("homelog.toml"))
            .arg("--data")
            .arg(self.data())
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .env("HOMELOG_ADMIN_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until it answers and has caught up with its log.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("homelog ended with {status}:\n{}", self.output());
            }
            if self.client.is_ready().await {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "homelog is not ready after {START:?}:\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it the way a power cut does, as far as a process can tell.
    pub async fn kill9(&mut self) -> Result<()> {
        self.kill_wrapped();
        let mut child = self.child.take().context("not running")?;
        child.kill().await?;
        Ok(())
    }

    /// A program such as `strace` lets go of what it runs when it is killed: that has to be killed first.
    fn kill_wrapped(&self) {
        if self.wrapper.is_empty() {
            return;
        }
        let Some(pid) = self.pid() else { return };
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        drop(
            std::process::Command::new("kill")
                .arg("-KILL")
                .args(children.split_whitespace())
                .status(),
        );
    }

    /// Asks it to stop and waits; fails if it takes longer than 5 s.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("not running")?;
        let pid = child.id().context("already gone")?;
        let sent = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        ensure!(sent.success(), "cannot signal {pid}");
        let status = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
        Ok(status
            .with_context(|| format!("still running 5 s after SIGTERM:\n{}", self.output()))??)
    }

    /// Somebody with the admin's API token.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A request with the admin's token.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(path)
    }

    /// A request with the admin's token.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(path)
    }

    /// The answer to a GET as JSON.
    pub async fn json(&self, path: &str) -> Result<Value> {
        self.client.json(path).await
    }

    /// Absolute address of a path.
    pub fn url(&self, path: &str) -> String {
        self.client.url(path)
    }

    /// The admin's API token.
    pub fn token(&self) -> &str {
        self.client.token()
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A file beside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.path("output.log")).unwrap_or_default()
    }

    /// Runs another homelog command on the same data.
    pub async fn run(&self, arguments: &[&str]) -> Result<std::process::Output> {
        Ok(Command::new(binary()?)
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .stdin(Stdio::null())
            .output()
            .await?)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.kill_wrapped();
    }
}
