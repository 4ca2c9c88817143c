//! How a role runs: it starts, works until a signal or the end of a task, drains, and closes what it had open.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use event_log::EventLog;
use supervision::{Supervisor, TaskExit};
use time_series::TimeSeries;
use tracing::{info, warn};

use super::signals::Signals;
use crate::outcome::Failure;

/// How long a stop may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    /// For tasks to finish.
    pub(super) tasks: Duration,
    /// For what is in memory to become durable after that.
    pub(super) closing: Duration,
}

/// What is open, in the order in which it is closed.
#[derive(Default)]
pub(super) struct Open {
    /// The store before the log that it is rebuilt from.
    pub(super) stores: Vec<Arc<dyn TimeSeries>>,
    /// Logs.
    pub(super) logs: Vec<Arc<dyn EventLog>>,
    /// What must live as long as the role, and needs no closing.
    #[expect(dead_code, reason = "held so that it lives")]
    pub(super) kept: Vec<Box<dyn std::any::Any + Send>>,
}

impl Open {
    /// Makes durable what is in memory. What fails here is in the log and is read again at the next start.
    async fn close(&self) {
        for store in &self.stores {
            if let Err(e) = store.close().await {
                warn!("the time-series store did not close cleanly: {e}");
            }
        }
        for log in &self.logs {
            if let Err(e) = log.close().await {
                warn!("the event log did not close cleanly: {e}");
            }
        }
    }
}

/// Runs a role to its end.
pub(super) fn run<F>(grace: Grace, start: impl FnOnce(Supervisor) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<Open, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(5))
        .thread_name("homelog")
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let outcome = runtime.block_on(serve(grace, start));
    // what still runs was cut already
    runtime.shutdown_background();
    outcome
}

/// Why it stops.
enum Stop {
    Signal(&'static str),
    Died(TaskExit),
}

async fn serve<F>(grace: Grace, start: impl FnOnce(Supervisor) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<Open, Failure>>,
{
    let mut signals = Signals::new().context("signals cannot be listened for")?;
    let supervisor = Supervisor::new();
    let open = tokio::select! {
        started = start(supervisor.clone()) => started?,
        name = signals.recv() => {
            info!(signal = name, "stopped by {name} while starting");
            return Ok(());
        }
    };
    let stop = tokio::select! {
        name = signals.recv() => Stop::Signal(name),
        exit = supervisor.first_exit() => Stop::Died(exit),
    };
    if let Stop::Signal(name) = &stop {
        info!(
            signal = name,
            "stopping on {name}; a second signal stops at once"
        );
    }
    tokio::select! {
        () = finish(grace, &supervisor, &open) => {}
        name = signals.recv() => {
            warn!(signal = name, "stopped at once by a second {name}: what was in memory is read from the event log at the next start");
            return Err(Failure::Told);
        }
    }
    match stop {
        Stop::Signal(_) => {
            info!("stopped");
            Ok(())
        }
        Stop::Died(exit) => Err(anyhow::anyhow!("{exit}; so homelog stopped").into()),
    }
}

async fn finish(grace: Grace, supervisor: &Supervisor, open: &Open) {
    let drained = supervisor.drain(grace.tasks).await;
    for task in &drained.cut {
        warn!(task.name = %task, "task `{task}` did not finish in time and was cut");
    }
    if tokio::time::timeout(grace.closing, open.close())
        .await
        .is_err()
    {
        warn!(
            "what was in memory did not reach the disk in time: it is read from the event log at the next start"
        );
    }
}
