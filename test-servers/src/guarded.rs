use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::wait::{last_lines, wait_until};

/// A process that ends when this value or the whole process goes.
///
/// A shell stands between: it holds a pipe to us and kills its child when that pipe closes, also after a `kill -9` of a test.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    pid: u32,
    log: PathBuf,
    /// Where in the log this run begins.
    log_from: usize,
}

/// A word on the pipe means that all is well; its end without one that the test is gone.
const GUARD: &str = r#"
directory=$1; shift
exec 3<&0
"$@" 3<&- </dev/null >&2 & child=$!
echo $child
exec >&2
(
  read -r word <&3 || {
    trap "" TERM
    kill -KILL $child 2>/dev/null
    sleep 0.5
    rm -rf "$directory"
  }
) & watcher=$!
wait $child
kill $watcher 2>/dev/null"#;

impl Guarded {
    /// Starts a command; what it prints goes to `log`, whose directory goes when this process is killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &[&str], environment: &[(&str, &str)], log: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        let log_from = usize::try_from(file.metadata()?.len())?;
        let mut shell = Command::new("sh")
            .args(["-c", GUARD])
            .arg("guard")
            .arg(log.parent().context("no directory")?)
            .args(command)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .context("start sh")?;
        let mut line = String::new();
        BufReader::new(shell.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let pid = line
            .trim()
            .parse()
            .with_context(|| format!("no process id but `{line}`"))?;
        Ok(Self {
            shell,
            pid,
            log: log.to_owned(),
            log_from,
        })
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it takes connections on a port of 127.0.0.1.
    ///
    /// # Errors
    /// It ended, or takes none in time.
    pub fn wait_for_port(&mut self, port: u16, patience: Duration) -> Result<()> {
        self.wait_until(&format!("it listens on {port}"), patience, |_| {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// It ended, or it is not so in time.
    pub fn wait_until(
        &mut self,
        what: &str,
        patience: Duration,
        is_so: impl FnMut(&Self) -> bool,
    ) -> Result<()> {
        wait_until(what, patience, self, is_so, Self::ended, Self::last_words)
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn ended(&mut self) -> Result<Option<String>> {
        Ok(self.shell.try_wait()?.map(|status| status.to_string()))
    }

    /// Whether this run has printed some words.
    pub(crate) fn has_printed(&self, words: &str) -> bool {
        std::fs::read(&self.log).is_ok_and(|text| {
            let fresh = text.get(self.log_from..).unwrap_or_default();
            String::from_utf8_lossy(fresh).contains(words)
        })
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        last_lines(&String::from_utf8_lossy(
            &std::fs::read(&self.log).unwrap_or_default(),
        ))
    }

    /// Sends a signal by name, such as `STOP`, `CONT` or `TERM`.
    ///
    /// # Errors
    /// `kill` cannot be run.
    pub fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .stderr(Stdio::null())
            .status()?;
        ensure!(sent.success(), "process {} took no {name}", self.pid);
        Ok(())
    }

    /// Tells the shell that this end is meant.
    fn dismiss(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            drop(pipe.write_all(b"done\n"));
        }
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(mut self) -> Result<()> {
        self.dismiss();
        drop(self.signal("KILL"));
        self.shell.wait()?;
        Ok(())
    }

    /// Asks it to stop and waits, then kills it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn stop(mut self, patience: Duration) -> Result<()> {
        self.dismiss();
        drop(self.signal("TERM"));
        let end = Instant::now() + patience;
        while self.shell.try_wait()?.is_none() {
            if Instant::now() > end {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.dismiss();
        drop(self.signal("KILL"));
        drop(self.shell.wait());
    }
}
