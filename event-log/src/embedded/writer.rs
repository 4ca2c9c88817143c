//! The one thread that writes: it gathers what waits, commits it as one transaction, and only then answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use tracing::{error, warn};

use super::{
    command::{Command, Reply, Trimmed, Work},
    fault::WriteFault,
    letters::Change,
    purge::{Step, Target},
    shared::{Shared, Status},
    staged::{Answer, Staged},
    store::Store,
};
use crate::{AppendError, Retention, Urgency};

/// How long a reading waits for others.
const GROUPED: Duration = Duration::from_secs(2);
/// How long an append that somebody waits for waits for others that arrive at the same time.
const SOON: Duration = Duration::from_millis(6);
/// A group this large is committed at once.
const GROUP_EVENTS: usize = 512;
/// A group that weighs this much, in KiB, is committed at once.
const GROUP_WEIGHT: usize = 1024;

/// Runs until it is closed or its queue has no more senders.
pub(super) fn run(store: Store, shared: &Shared, queue: &Receiver<Command>) {
    surface(shared, || {
        let mut writer = Writer {
            store,
            shared,
            disk_full: false,
        };
        writer.run(queue);
    });
}

/// Makes a panic of the writer the state of the log. Whoever waits for an answer sees it go, and then the state.
pub(super) fn surface(shared: &Shared, work: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else {
        return;
    };
    let cause = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    error!(
        cause,
        "the writer of the event log panicked, nothing is taken until a restart"
    );
    shared.set_status(Status::Broken(format!("its writer panicked: {cause}")));
}

/// Commands that are committed together.
#[derive(Default)]
struct Group {
    commands: Vec<Command>,
    events: usize,
    weight: usize,
    due: Option<Instant>,
}

impl Group {
    fn add(&mut self, command: Command) {
        let wait = match &command.work {
            Work::Append {
                drafts, urgency, ..
            } => {
                self.events += drafts.len();
                self.weight += command.weight;
                match urgency {
                    Urgency::Soon => SOON,
                    Urgency::Grouped => GROUPED,
                }
            }
            Work::SetConsumer { .. }
            | Work::PutDeadLetters { .. }
            | Work::ResolveDeadLetters { .. } => SOON,
            Work::Trim { .. } | Work::Purge { .. } | Work::Close { .. } => Duration::ZERO,
        };
        let due = Instant::now() + wait;
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.commands.push(command);
    }

    /// How long it may still wait for more.
    fn patience(&self) -> Duration {
        if self.events >= GROUP_EVENTS || self.weight >= GROUP_WEIGHT {
            return Duration::ZERO;
        }
        self.due.map_or(Duration::ZERO, |due| {
            due.saturating_duration_since(Instant::now())
        })
    }
}

struct Writer<'a> {
    store: Store,
    shared: &'a Shared,
    disk_full: bool,
}

impl Writer<'_> {
    fn run(&mut self, queue: &Receiver<Command>) {
        while let Ok(first) = queue.recv() {
            let mut group = Group::default();
            group.add(first);
            loop {
                let patience = group.patience();
                if patience.is_zero() {
                    break;
                }
                match queue.recv_timeout(patience) {
                    Ok(command) => group.add(command),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            let closed = self.serve(group);
            if let Some(reply) = closed {
                self.close(queue, reply);
                return;
            }
            if self.shared.append_fault().is_none()
                && let Err(fault) = self.store.checkpoint_if_due()
            {
                self.note(&fault);
            }
        }
        self.shared.set_status(Status::ReadOnly);
        self.finish();
    }

    /// Does what a group asks for. Returns who asked to close.
    fn serve(&mut self, group: Group) -> Option<Reply<()>> {
        let mut staged = Staged::new(self.store.clock());
        let mut trims = Vec::new();
        let mut purges = Vec::new();
        let mut closes = None;
        // the shares of the queue are given back when all is done
        let mut shares = Vec::with_capacity(group.commands.len());
        for Command { work, share, .. } in group.commands {
            shares.push(share);
            match work {
                Work::Append { drafts, reply, .. } => {
                    let next = self.store.next_offset();
                    let appended = staged.append(drafts, &mut self.store.admission, next);
                    staged.answers.push(Answer::Append(reply, appended));
                }
                Work::SetConsumer { name, next, reply } => {
                    if let Some(next) = self.store.moved(&name, next) {
                        staged.consumers.insert(name, next);
                    }
                    staged.answers.push(Answer::Done(reply));
                }
                Work::PutDeadLetters { letters, reply } => {
                    staged.letters.extend(letters.into_iter().map(Change::Put));
                    staged.answers.push(Answer::Done(reply));
                }
                Work::ResolveDeadLetters { letters, reply } => {
                    staged
                        .letters
                        .extend(letters.into_iter().map(Change::Resolve));
                    staged.answers.push(Answer::Done(reply));
                }
                Work::Trim { retention, reply } => trims.push((retention, reply)),
                Work::Purge {
                    target,
                    from,
                    reply,
                } => purges.push((target, from, reply)),
                Work::Close { reply } => closes = Some(reply),
            }
        }
        self.commit(staged);
        for (retention, reply) in trims {
            let trimmed = self.trim(&retention);
            drop(reply.send(trimmed));
        }
        for (target, from, reply) in purges {
            let step = self.purge(&target, from);
            drop(reply.send(step));
        }
        closes
    }

    fn commit(&mut self, mut staged: Staged) {
        let answers = std::mem::take(&mut staged.answers);
        let result = if let Status::Broken(cause) = self.shared.status() {
            self.store.admission.undo();
            Err(self.shared.broken(cause))
        } else if staged.is_empty() {
            Ok(())
        } else {
            self.write(&mut staged)
        };
        if result.is_ok() {
            let metrics = &self.shared.metrics;
            metrics.appended.inc_by(staged.events.len() as u64);
            metrics.duplicates.inc_by(staged.duplicates);
            metrics.refused.inc_by(staged.refused);
            if !staged.events.is_empty() {
                self.shared.publish(staged.logged, staged.events);
            }
        }
        for answer in answers {
            // who does not wait any more is not told
            match answer {
                Answer::Append(reply, appended) => {
                    drop(reply.send(result.clone().map(|()| appended)));
                }
                Answer::Done(reply) => drop(reply.send(result.clone())),
            }
        }
    }

    fn write(&mut self, staged: &mut Staged) -> Result<(), AppendError> {
        let metrics = &self.shared.metrics;
        let begun = Instant::now();
        let written = self.store.write(staged);
        metrics
            .commit_seconds
            .observe(begun.elapsed().as_secs_f64());
        match written {
            Ok(bytes) => {
                metrics.commits.inc();
                metrics.body_bytes.inc_by(bytes);
                self.disk_full = false;
                Ok(())
            }
            Err(fault) => {
                metrics.failed_commits.inc();
                self.note(&fault);
                Err(fault.explain(self.shared))
            }
        }
    }

    fn trim(&mut self, retention: &Retention) -> Result<Trimmed, AppendError> {
        if let Status::Broken(cause) = self.shared.status() {
            return Err(self.shared.broken(cause));
        }
        let (mut trimmed, oldest) = self.store.trim(retention).map_err(|fault| {
            self.note(&fault);
            fault.explain(self.shared)
        })?;
        self.shared.metrics.trimmed.inc_by(trimmed.events);
        self.shared.trimmed(oldest);
        match self.store.vacuum() {
            Ok(more) => trimmed.done &= !more,
            Err(fault) => self.note(&fault),
        }
        Ok(trimmed)
    }

    fn purge(&mut self, target: &Target, from: u64) -> Result<Step, AppendError> {
        if let Status::Broken(cause) = self.shared.status() {
            return Err(self.shared.broken(cause));
        }
        let step = self.store.purge(target, from).map_err(|fault| {
            self.note(&fault);
            fault.explain(self.shared)
        })?;
        self.shared.purged();
        Ok(step)
    }

    /// Tells of a fault, and takes nothing more after one whose outcome is open.
    fn note(&mut self, fault: &WriteFault) {
        let path = self.shared.path.display();
        match fault {
            WriteFault::DiskFull if self.disk_full => {}
            WriteFault::DiskFull => {
                self.disk_full = true;
                warn!(%path, "the disk is full, events are refused until there is room");
            }
            WriteFault::Busy => warn!(%path, "another program holds the event log"),
            WriteFault::Broken(cause) => {
                error!(%path, cause, "a write to the event log failed, nothing is taken until a restart");
                self.shared.set_status(Status::Broken(cause.clone()));
            }
        }
    }

    /// Commits what arrived before the end, then ends.
    fn close(&mut self, queue: &Receiver<Command>, reply: Reply<()>) {
        self.shared.set_status(Status::ReadOnly);
        let mut replies = vec![reply];
        while let Ok(command) = queue.try_recv() {
            let mut group = Group::default();
            group.add(command);
            replies.extend(self.serve(group));
        }
        self.finish();
        let result = match self.shared.status() {
            Status::Broken(cause) => Err(self.shared.broken(cause)),
            _ => Ok(()),
        };
        for reply in replies {
            drop(reply.send(result.clone()));
        }
    }

    fn finish(&mut self) {
        if matches!(self.shared.status(), Status::Broken(_)) {
            return;
        }
        if let Err(fault) = self.store.checkpoint() {
            self.note(&fault);
        }
    }
}
