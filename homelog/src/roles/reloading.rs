//! The configuration read again while the process runs: on SIGHUP, and when its file or a file that it names changes: of a
//! secret, of an authority, of a certificate.
//! Sources follow it at once; for the rest a restart is needed, which is told.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use collector::{Sources, Supplier};
use supervision::Supervisor;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::MissedTickBehavior,
};
use tracing::{error, info, warn};

use super::collecting::{self, Host};
use crate::{
    config::{self, Config, Reading},
    env::Env,
};

/// How often files are looked at. A change counts when the next look finds nothing new: who writes a file may write it in parts.
const LOOK: Duration = Duration::from_secs(1);

/// A configuration that is followed.
pub(super) struct Reloading {
    /// Its file.
    pub(super) path: PathBuf,
    /// The environment that is laid over it.
    pub(super) env: Env,
    /// The state of its file just before it was read.
    pub(super) stamp: Stamp,
    /// What it said at the start.
    pub(super) at_start: Config,
    /// This machine.
    pub(super) host: Host,
    /// What follows it.
    pub(super) sources: Sources,
}

/// What tells one state of a file from another: inode, size, and time of its last change.
pub(super) type Stamp = Option<(u64, u64, i64, i64)>;

impl Reloading {
    /// Follows it until the supervisor stops.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub(super) fn start(self, supervisor: &Supervisor) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be listened for")?;
        let stop = supervisor.token();
        supervisor.spawn("reload", async move {
            let mut named = self.read().await?.files;
            let mut seen = stamps(&self.path, &named).await;
            let mut known = seen.clone();
            // it may have been long until everything was open
            if let Some(file) = known.first_mut() {
                *file = self.stamp;
            }
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let asked = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    _ = hangup.recv() => true,
                    _ = look.tick() => false,
                };
                let now = stamps(&self.path, &named).await;
                let settled = std::mem::replace(&mut seen, now) == seen;
                if !asked && (seen == known || !settled) {
                    continue;
                }
                // taken before reading, so that a change meanwhile is one
                known.clone_from(&seen);
                let reading = self.read().await?;
                if named != reading.files {
                    named.clone_from(&reading.files);
                    let file = known.first().copied().flatten();
                    known = stamps(&self.path, &named).await;
                    if let Some(first) = known.first_mut() {
                        *first = file;
                    }
                    seen.clone_from(&known);
                }
                self.follow(reading).await;
            }
        });
        Ok(())
    }

    async fn read(&self) -> anyhow::Result<Reading> {
        let (path, env) = (self.path.clone(), self.env.clone());
        tokio::task::spawn_blocking(move || config::load_from(Some(&path), &env))
            .await
            .context("reading the configuration again panicked")
    }

    /// Takes what can be taken; of a bad configuration nothing.
    async fn follow(&self, reading: Reading) {
        let shown = self.path.display();
        let loaded = match reading.result {
            Ok(loaded) => loaded,
            Err(problems) => {
                for problem in problems.lines() {
                    error!("{problem}");
                }
                error!(
                    errors = problems.list().len(),
                    "{shown} is not taken, for the errors above: the configuration before goes on; correct it, it is read again when it changes"
                );
                return;
            }
        };
        for warning in &loaded.warnings {
            warn!("{warning}");
        }
        info!("{shown} was read again");
        let differing = self.at_start.differing(&loaded.config);
        if !differing.is_empty() {
            let sections: Vec<_> = differing.iter().map(|name| format!("[{name}]")).collect();
            let sections = sections.join(", ");
            warn!(
                sections,
                "{sections} changed in {shown}: only sources follow at once, restart Homelog for the rest"
            );
        }
        let sources = collecting::sources(&loaded.config, &self.host).await;
        self.sources.apply(Supplier::Config, sources);
    }
}

/// The state of a file now; none if it is not there.
pub(super) fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().as_ref().map(stamp_of)
}

fn stamp_of(metadata: &Metadata) -> (u64, u64, i64, i64) {
    (
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

async fn stamps(path: &Path, named: &[PathBuf]) -> Vec<Stamp> {
    let mut stamps = Vec::with_capacity(named.len() + 1);
    for path in std::iter::once(path).chain(named.iter().map(PathBuf::as_path)) {
        let metadata = tokio::fs::metadata(path).await.ok();
        stamps.push(metadata.as_ref().map(stamp_of));
    }
    stamps
}
