//! Servers end with the test that started them, also when that is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Processes whose command line holds a text.
fn processes_with(text: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|words| String::from_utf8_lossy(&words).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

#[test]
fn a_killed_test_leaves_neither_processes_nor_directories() -> Result<()> {
    let probe = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .context("no target directory")?
        .join("examples/probe");
    // where its servers keep their data tells them from those of other tests
    let place = tempfile::tempdir()?;
    // PostgreSQL has a user of its own
    Command::new("chmod")
        .arg("755")
        .arg(place.path())
        .status()?;
    let mut child = Command::new(probe)
        .arg("hold")
        .env("TMPDIR", place.path())
        .env("HOMELOG_SERVERS_FROM", "native")
        .stdout(Stdio::piped())
        .spawn()?;
    let told: Vec<String> = BufReader::new(child.stdout.take().context("no stdout")?)
        .lines()
        .take(3)
        .collect::<std::io::Result<_>>()?;
    ensure!(told.len() == 3, "not all servers started: {told:?}");
    let name = place.path().display().to_string();
    let running = processes_with(&name);
    ensure!(running.len() >= 5, "five servers but {running:#?}");
    child.kill()?;
    child.wait()?;
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (running, left) = (
            processes_with(&name),
            std::fs::read_dir(place.path())?.count(),
        );
        if running.is_empty() && left == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{left} directories and still running: {running:#?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
