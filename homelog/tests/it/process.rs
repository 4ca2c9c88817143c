//! A role of the real binary with files of its own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A process that ends with the test.
pub(crate) struct Process {
    directory: TempDir,
    child: Option<Child>,
}

impl Process {
    /// A directory with a config file; nothing runs yet.
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("homelog.toml"), config).expect("written");
        Self {
            directory,
            child: None,
        }
    }

    /// Starts a role at once.
    pub(crate) fn start(config: &str, role: &str, more: &[&str]) -> Self {
        let mut process = Self::new(config);
        process.spawn(role, more);
        process
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("homelog.toml")
    }

    /// Starts a role; `DATA` among the arguments is its own data directory.
    pub(crate) fn spawn(&mut self, role: &str, more: &[&str]) {
        let output = |name| File::create(self.path(name)).expect("a file");
        let data = self.path("data").display().to_string();
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("homelog"))
            .arg(role)
            .args(["--config".as_ref(), self.config().as_os_str()])
            .args(
                more.iter()
                    .map(|arg| if *arg == "DATA" { &data } else { *arg }),
            )
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("HOMELOG_ADMIN_PASSWORD", crate::lab::PASSWORD)
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    pub(crate) fn stdout(&self) -> String {
        read(&self.path("stdout"))
    }

    pub(crate) fn stderr(&self) -> String {
        read(&self.path("stderr"))
    }

    /// Waits until it has told something.
    pub(crate) async fn told(&mut self, what: &str, within: Duration) {
        let end = Instant::now() + within;
        while !self.stderr().contains(what) {
            let child = self.child.as_mut().expect("it runs");
            if let Some(status) = child.try_wait().expect("its state") {
                panic!("it ended with {status}: {}", self.stderr());
            }
            assert!(
                Instant::now() < end,
                "it does not tell `{what}`: {}",
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("the signal is sent");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        let mut child = self.child.take().expect("it runs");
        loop {
            if let Some(status) = child.try_wait().expect("its state") {
                return status;
            }
            if Instant::now() > end {
                child.kill().expect("killed");
                child.wait().expect("waited");
                panic!("it did not end within {within:?}: {}", self.stderr());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it as a service manager does.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended(Duration::from_secs(12)).await;
        assert!(status.success(), "{status}: {}", self.stderr());
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("text")
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
