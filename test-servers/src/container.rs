use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use testcontainers::{GenericImage, ImageExt, runners::AsyncRunner};

use crate::wait::last_lines;

/// A container on the host's network that goes with this value or with the whole process.
///
/// A shell stands by: it holds a pipe to us and removes the container when that pipe closes without a word, as after a `kill -9`.
#[derive(Debug)]
pub struct Container {
    id: String,
    guard: Mutex<Child>,
    remove: Option<SyncSender<()>>,
    keeper: Option<JoinHandle<()>>,
    /// Where in its output this run begins.
    output_from: AtomicUsize,
    runs: AtomicUsize,
}

const GUARD: &str = r#"read -r word || docker rm --force --volumes "$1" >/dev/null 2>&1"#;
const START: Duration = Duration::from_mins(1);

fn docker(words: &[&str]) -> Result<std::process::Output> {
    let done = Command::new("docker")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .context("docker is missing: scripts/install-missing test")?;
    ensure!(
        done.status.success(),
        "docker {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(done)
}

/// Whether an engine answers and has this image.
pub(crate) fn has_image(image: &str) -> bool {
    docker(&["image", "inspect", image]).is_ok()
}

impl Container {
    /// Starts one from an image that the engine has.
    ///
    /// # Errors
    /// The engine cannot start it.
    pub(crate) fn create(image: &str, environment: &[(String, String)]) -> Result<Self> {
        let (name, tag) = image.rsplit_once(':').context("an image without a tag")?;
        let mut request = GenericImage::new(name, tag)
            .with_network("host")
            .with_startup_timeout(START);
        for (name, value) in environment {
            request = request.with_env_var(name, value);
        }
        // a thread of its own: the caller may or may not be inside of a runtime
        let (started, id) = sync_channel::<Result<String>>(1);
        let (remove, removed) = sync_channel::<()>(1);
        let keeper = std::thread::Builder::new()
            .name("container".to_owned())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime,
                    Err(e) => return drop(started.send(Err(e.into()))),
                };
                match runtime.block_on(request.start()) {
                    Ok(container) => {
                        drop(started.send(Ok(container.id().to_owned())));
                        // an end without a word is as good
                        removed.recv().unwrap_or(());
                        drop(runtime.block_on(container.rm()));
                    }
                    Err(e) => drop(started.send(Err(anyhow!("{e}")))),
                }
            })?;
        let id = id.recv().context("no container")??;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &id])
            .stdin(Stdio::piped())
            .spawn()
            .context("start sh")?;
        Ok(Self {
            id,
            guard: Mutex::new(guard),
            remove: Some(remove),
            keeper: Some(keeper),
            output_from: AtomicUsize::new(0),
            runs: AtomicUsize::new(1),
        })
    }

    /// Starts it again, on the same files; does nothing at first, as it was started when it was made.
    pub(crate) fn start(&self) -> Result<()> {
        if self.runs.swap(0, Ordering::Relaxed) == 0 {
            self.output_from
                .store(self.output().len(), Ordering::Relaxed);
            docker(&["start", &self.id])?;
        }
        Ok(())
    }

    fn inspect(&self, what: &str) -> Result<String> {
        let told = docker(&["inspect", "--format", what, &self.id])?;
        Ok(String::from_utf8(told.stdout)?.trim().to_owned())
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.inspect("{{.State.Pid}}")?.parse()?)
    }

    pub(crate) fn ended(&self) -> Result<Option<String>> {
        Ok(match self.inspect("{{.State.Running}}")?.as_str() {
            "true" => None,
            _ => Some(self.inspect("exit code {{.State.ExitCode}}")?),
        })
    }

    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        docker(&["kill", "--signal", name, &self.id]).map(drop)
    }

    pub(crate) fn kill(&self) -> Result<()> {
        // it may have ended by itself
        drop(self.signal("KILL"));
        docker(&["wait", &self.id]).map(drop)
    }

    fn output(&self) -> String {
        Command::new("docker")
            .args(["logs", &self.id])
            .output()
            .map(|told| {
                let both = [told.stdout, told.stderr].concat();
                String::from_utf8_lossy(&both).into_owned()
            })
            .unwrap_or_default()
    }

    pub(crate) fn has_printed(&self, words: &str) -> bool {
        self.output()
            .get(self.output_from.load(Ordering::Relaxed)..)
            .is_some_and(|fresh| fresh.contains(words))
    }

    pub(crate) fn last_words(&self) -> String {
        last_lines(&self.output())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.remove.take());
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
        let guard = self.guard.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut pipe) = guard.stdin.take() {
            drop(pipe.write_all(b"done\n"));
        }
        drop(guard.wait());
    }
}
