use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Guarded, free_port};

/// A PostgreSQL server with a superuser `homelog` that needs no password.
#[derive(Debug)]
pub struct Postgres {
    // before its directory: it goes first
    process: Option<Guarded>,
    programs: PathBuf,
    port: u16,
    directory: TempDir,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Where Debian puts the newest one.
fn programs() -> Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .context("PostgreSQL is not installed: scripts/install-missing test")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .context("PostgreSQL is not installed: scripts/install-missing test")
}

/// PostgreSQL refuses to run as root: then its own user runs it.
fn as_its_user() -> Result<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(if id.stdout.trim_ascii() == b"0" {
        &[
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
        ]
    } else {
        &[]
    })
}

fn give_away(directory: &Path) -> Result<()> {
    let done = Command::new("chown")
        .arg("postgres")
        .arg(directory)
        .status()?;
    ensure!(
        done.success(),
        "{} cannot be given to postgres",
        directory.display()
    );
    Ok(())
}

impl Postgres {
    /// Makes a cluster of its own and starts it.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub fn start() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-postgres-").tempdir()?;
        let mut postgres = Self {
            programs: programs()?,
            port: free_port()?,
            process: None,
            directory,
        };
        let user = as_its_user()?;
        if !user.is_empty() {
            give_away(postgres.directory.path())?;
        }
        let initdb = postgres.programs.join("initdb").display().to_string();
        let data = postgres.data();
        let words: Vec<&str> = [
            user,
            &[
                &initdb,
                "-D",
                &data,
                "-U",
                "homelog",
                "--auth=trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
            ],
        ]
        .concat();
        let (program, arguments) = words.split_first().context("no words")?;
        let done = Command::new(program)
            .args(arguments)
            .current_dir("/")
            .output()?;
        ensure!(
            done.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        postgres.restart()?;
        Ok(postgres)
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    /// Starts it again after a kill, on the same data, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        // what a killed one left would be taken for another one's
        drop(std::fs::remove_file(
            Path::new(&self.data()).join("postmaster.pid"),
        ));
        let postgres = self.programs.join("postgres").display().to_string();
        let data = self.data();
        let port = self.port.to_string();
        let sockets = format!(
            "unix_socket_directories={}",
            self.directory.path().display()
        );
        let words: Vec<&str> = [
            as_its_user()?,
            &[
                &postgres,
                "-D",
                &data,
                "-p",
                &port,
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                &sockets,
            ],
        ]
        .concat();
        let mut process = Guarded::start(&words, &[], &self.directory.path().join("postgres.log"))?;
        process.wait_for_port(self.port, PATIENCE)?;
        // it listens before it has recovered
        process.wait_until("it answers", PATIENCE, |_| self.query("SELECT 1").is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    fn query(&self, sql: &str) -> Result<()> {
        let done = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "homelog", "-d", "postgres", "-qc", sql])
            .output()?;
        ensure!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
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

    /// Makes an empty database.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.query(&format!("CREATE DATABASE \"{name}\""))
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://homelog@127.0.0.1:{}/{database}", self.port)
    }
}
