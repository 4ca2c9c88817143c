//! Every task has a name, is watched, told to stop, joined, and given a grace to finish.
//!
//! A [`Supervisor`] is passed down by value (it is a handle); nothing spawns by itself.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, task::AbortHandle};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tracing::{debug, error};

/// How a task ended that should have gone on.
#[derive(Debug, Clone)]
pub struct TaskExit {
    /// Its name.
    pub name: Arc<str>,
    /// Why it ended.
    pub cause: String,
}

impl fmt::Display for TaskExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}` ended: {}", self.name, self.cause)
    }
}

/// What a drain achieved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// Names of the tasks that did not finish in time and were cut.
    pub cut: Vec<Arc<str>>,
}

struct Inner {
    token: CancellationToken,
    tracker: TaskTracker,
    next: AtomicU64,
    running: Mutex<HashMap<u64, (Arc<str>, AbortHandle)>>,
    exits: mpsc::Sender<TaskExit>,
    exits_rx: tokio::sync::Mutex<mpsc::Receiver<TaskExit>>,
}

/// A handle on all tasks of the process, or of one test.
#[derive(Clone)]
pub struct Supervisor(Arc<Inner>);

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        let (exits, exits_rx) = mpsc::channel(16);
        Self(Arc::new(Inner {
            token: CancellationToken::new(),
            tracker: TaskTracker::new(),
            next: AtomicU64::new(0),
            running: Mutex::new(HashMap::new()),
            exits,
            exits_rx: tokio::sync::Mutex::new(exits_rx),
        }))
    }

    /// The token that tells every task to stop.
    pub fn token(&self) -> CancellationToken {
        self.0.token.clone()
    }

    /// Tells every task to stop.
    pub fn stop(&self) {
        self.0.token.cancel();
    }

    /// Starts a task that must go on until it is told to stop: an earlier end, an error or a panic is a [`TaskExit`].
    pub fn spawn<F>(&self, name: impl Into<Arc<str>>, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        let inner = Arc::clone(&self.0);
        let told = name.clone();
        self.start(name, async move {
            let ended = catch(task).await;
            if inner.token.is_cancelled() && matches!(ended, Ok(Ok(()))) {
                debug!(task.name = %told, "task `{told}` stopped");
                return;
            }
            let cause = match ended {
                Ok(Ok(())) => "it returned before it was told to stop".to_owned(),
                Ok(Err(e)) => format!("{e:#}"),
                Err(panic) => format!("it panicked: {panic}"),
            };
            error!(task.name = %told, cause, "task `{told}` ended: {cause}");
            // a full queue means that earlier exits already stop the process
            drop(inner.exits.try_send(TaskExit { name: told, cause }));
        });
    }

    /// Starts a task that may end at any time, such as a connection. A panic is logged.
    pub fn spawn_transient<F>(&self, name: impl Into<Arc<str>>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let told = name.clone();
        self.start(name, async move {
            if let Err(panic) = catch(task).await {
                error!(task.name = %told, panic, "task `{told}` panicked: {panic}");
            }
        });
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    fn start(&self, name: Arc<str>, task: impl Future<Output = ()> + Send + 'static) {
        struct Registered(
            Arc<Inner>,
            u64,
            #[expect(dead_code, reason = "held so that the tracker waits")] TaskTrackerToken,
        );
        impl Drop for Registered {
            fn drop(&mut self) {
                self.0
                    .running
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&self.1);
            }
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let registered = Registered(Arc::clone(&self.0), id, self.0.tracker.token());
        // the lock is held over the spawn so that a task that ends at once finds its entry
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let handle = tokio::spawn(async move {
            task.await;
            drop(registered);
        });
        running.insert(id, (name, handle.abort_handle()));
    }

    /// Waits for the first task that ended though it should have gone on.
    pub async fn first_exit(&self) -> TaskExit {
        let mut exits = self.0.exits_rx.lock().await;
        match exits.recv().await {
            Some(exit) => exit,
            None => std::future::pending().await,
        }
    }

    /// How many tasks run.
    pub fn running(&self) -> usize {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Tells every task to stop, waits up to `grace`, then cuts what still runs and names it.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.stop();
        self.0.tracker.close();
        if tokio::time::timeout(grace, self.0.tracker.wait())
            .await
            .is_ok()
        {
            return Drained::default();
        }
        let cut: Vec<_> = {
            let running = self
                .0
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            running
                .values()
                .map(|(name, handle)| {
                    handle.abort();
                    Arc::clone(name)
                })
                .collect()
        };
        Drained { cut }
    }
}

async fn catch<F: Future>(task: F) -> Result<F::Output, String> {
    let mut task = Box::pin(task);
    std::future::poll_fn(move |cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
            Ok(std::task::Poll::Ready(output)) => std::task::Poll::Ready(Ok(output)),
            Err(panic) => {
                let text = panic
                    .downcast_ref::<&str>()
                    .map(ToString::to_string)
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "without a message".to_owned());
                std::task::Poll::Ready(Err(text))
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_early_is_named_with_its_cause() {
        let supervisor = Supervisor::new();
        supervisor.spawn("collect/nas1", async { anyhow::bail!("no route") });
        let exit = supervisor.first_exit().await;
        assert_eq!(
            (&*exit.name, exit.cause.as_str()),
            ("collect/nas1", "no route")
        );
    }

    #[tokio::test]
    async fn a_panic_is_an_exit_too() {
        let supervisor = Supervisor::new();
        supervisor.spawn("ingest", async { panic!("boom {}", 1) });
        assert!(supervisor.first_exit().await.cause.contains("boom 1"));
    }

    #[tokio::test(start_paused = true)]
    async fn drain_waits_then_cuts_and_names() {
        let supervisor = Supervisor::new();
        let token = supervisor.token();
        supervisor.spawn("polite", async move {
            token.cancelled().await;
            Ok(())
        });
        supervisor.spawn("deaf", std::future::pending());
        let drained = supervisor.drain(Duration::from_secs(5)).await;
        assert_eq!(drained.cut, [Arc::from("deaf")]);
    }

    #[tokio::test]
    async fn transient_tasks_may_end() {
        let supervisor = Supervisor::new();
        supervisor.spawn_transient("connection", async {});
        assert_eq!(
            supervisor.drain(Duration::from_secs(5)).await,
            Drained::default()
        );
        assert_eq!(supervisor.running(), 0);
    }
}
