//! `homelog up`: everything in one process.

mod admin;
mod greeting;
mod port;
mod retention;
mod services;
mod signals;

use std::{net::TcpListener, path::PathBuf, time::Duration};

use anyhow::Context;
use supervision::{Supervisor, TaskExit};
use tracing::{info, warn};

use crate::{
    cli::UpArgs,
    config::{self, Config},
    data_dir,
    env::Env,
    outcome::Failure,
};
use admin::FirstAdmin;
use services::Services;
use signals::Signals;

/// How long tasks may take to finish after the stop: an answer that is being written has 3 s.
const GRACE: Duration = Duration::from_millis(3500);
/// How long what is in memory may take to reach the disk after that. What does not is read from the log at the next start.
const CLOSING: Duration = Duration::from_millis(1200);

/// What a start needs to know.
struct Boot {
    config: Config,
    data: PathBuf,
    listener: TcpListener,
    first_admin: FirstAdmin,
    docker_host: Option<String>,
}

pub(crate) fn run(args: &UpArgs, env: &Env) -> Result<(), Failure> {
    let loaded = config::load(args.config.as_deref(), env)
        .map_err(|problems| Failure::usage(problems.render(crate::style())))?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let mut config = loaded.config;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    let first_admin = FirstAdmin::from_env(env)?;
    let docker_host = env
        .text("DOCKER_HOST")
        .map_err(|e| Failure::usage(format!("homelog: {e}")))?
        .map(str::to_owned);
    let data = data_dir::locate(args.data.data.as_deref(), env)?;
    data_dir::create(&data)?;
    let lock = data_dir::lock(&data)?;
    let listener = port::listen(config.api.listen)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(5))
        .thread_name("homelog")
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let outcome = runtime.block_on(serve(Boot {
        config,
        data,
        listener,
        first_admin,
        docker_host,
    }));
    // what still runs was cut already
    runtime.shutdown_background();
    drop(lock);
    outcome
}

/// Why it stops.
enum Stop {
    Signal(&'static str),
    Died(TaskExit),
}

async fn serve(boot: Boot) -> Result<(), Failure> {
    let mut signals = Signals::new().context("signals cannot be listened for")?;
    let supervisor = Supervisor::new();
    let services = tokio::select! {
        started = Services::start(boot, &supervisor) => started?,
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
        () = finish(&supervisor, &services) => {}
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

async fn finish(supervisor: &Supervisor, services: &Services) {
    let drained = supervisor.drain(GRACE).await;
    for task in &drained.cut {
        warn!(task.name = %task, "task `{task}` did not finish in time and was cut");
    }
    if tokio::time::timeout(CLOSING, services.close())
        .await
        .is_err()
    {
        warn!(
            "what was in memory did not reach the disk in time: it is read from the event log at the next start"
        );
    }
}
