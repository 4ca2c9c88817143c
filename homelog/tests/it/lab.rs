//! A Homelog of its own for one test.

use std::{
    ffi::OsStr,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// The password of `admin`.
pub(crate) const PASSWORD: &str = "a long enough pass phrase";

/// The binary without anything of this process's environment.
pub(crate) fn homelog() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("homelog").expect("the binary is built");
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .timeout(Duration::from_mins(1));
    command
}

/// Exit code and both outputs of a run.
pub(crate) fn run<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> (i32, String, String) {
    told(&homelog().args(args).output().expect("the binary starts"))
}

pub(crate) fn told(output: &Output) -> (i32, String, String) {
    (
        output.status.code().expect("it was not killed"),
        String::from_utf8(output.stdout.clone()).expect("text"),
        String::from_utf8(output.stderr.clone()).expect("text"),
    )
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A data directory, and the process that works on it.
pub(crate) struct Lab {
    directory: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    pub(crate) http: Client,
}

impl Lab {
    /// A lab in which nothing runs yet; it observes the host alone.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let config = "[[source]]\nname = \"server\"\nkind = \"host\"\ninterval = \"1s\"\n";
        std::fs::write(directory.path().join("homelog.toml"), config).expect("written");
        let http = Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self {
            directory,
            port: free_port(),
            child: None,
            http,
        }
    }

    /// A running lab with the user `admin`.
    pub(crate) async fn start() -> Self {
        let mut lab = Self::new();
        lab.up(&[("HOMELOG_ADMIN_PASSWORD", PASSWORD)]).await;
        lab
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts it and waits until it has caught up.
    pub(crate) async fn up(&mut self, env: &[(&str, &str)]) {
        self.spawn(env);
        let end = Instant::now() + START;
        loop {
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait().expect("its state") {
                panic!("it ended with {status}: {}", self.stderr());
            }
            let answer = self.http.get(self.url("/health/ready")).send().await;
            let greeted = self.stdout().contains("is running.");
            if greeted && answer.is_ok_and(|a| a.status() == StatusCode::OK) {
                return;
            }
            assert!(Instant::now() < end, "it is not ready: {}", self.stderr());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Starts it.
    pub(crate) fn spawn(&mut self, env: &[(&str, &str)]) {
        let output = |name| File::create(self.path(name)).expect("a file");
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("homelog"))
            .arg("up")
            .arg("--config")
            .arg(self.path("homelog.toml"))
            .arg("--data")
            .arg(self.data())
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.path("stdout")).expect("text")
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).expect("text")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("the signal is sent");
    }

    /// Waits for its end and says how long that took.
    pub(crate) async fn ended(&mut self, within: Duration) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let mut child = self.child.take().expect("it runs");
        loop {
            if let Some(status) = child.try_wait().expect("its state") {
                return (status, began.elapsed());
            }
            if began.elapsed() > within {
                child.kill().expect("killed");
                child.wait().expect("waited");
                panic!("it did not end within {within:?}: {}", self.stderr());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it as a service manager does.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let (status, _) = self.ended(Duration::from_secs(10)).await;
        assert!(status.success(), "{status}: {}", self.stderr());
    }

    /// Runs another command on its data.
    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> (i32, String, String) {
        let mut command = homelog();
        command
            .args(args)
            .arg("--data")
            .arg(self.data())
            .write_stdin(stdin);
        told(&command.output().expect("the binary starts"))
    }

    /// An API token of `admin`, made by the command.
    pub(crate) fn token(&self) -> String {
        let args = [
            "token", "create", "--user", "admin", "--name", "test", "--role", "admin",
        ];
        let (code, token, stderr) = self.run(&args, "");
        assert_eq!(code, 0, "{stderr}");
        token.trim().to_owned()
    }

    /// What it answers to a GET.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Value {
        let answer = self.http.get(self.url(path)).bearer_auth(token).send();
        let answer = answer.await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Pushes events of source `pushed`, a second apart, the last one at `now`.
    pub(crate) async fn push(&self, token: &str, count: i64, now: i64) -> Value {
        let events: Vec<_> = (0..count)
            .map(|i| {
                json!({
                    "source": "pushed",
                    "time": now - (count - 1 - i) * 1000,
                    "entity": {"type": "sensor", "id": "kitchen"},
                    "fields": {"temperature_celsius": f64::from(i32::try_from(i).expect("small")) + 0.5},
                })
            })
            .collect();
        let answer = self
            .http
            .post(self.url("/api/v1/events"))
            .bearer_auth(token)
            .json(&events)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.expect("JSON")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Puts what changes from run to run out of a message.
pub(crate) fn steady(text: &str, replace: &[(&Path, &str)]) -> String {
    replace.iter().fold(text.to_owned(), |text, (path, name)| {
        text.replace(&path.display().to_string(), name)
    })
}
