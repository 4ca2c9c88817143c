//! How a source was: up, but for the time in which its service did not answer.

use schemas::{Entity, Fields, time::Timestamp};

use super::{
    Span,
    told::{Told, entity},
};
use crate::{
    number::{real, whole},
    world::chance,
};

/// The share of the time that a source may spend on polls.
const BUDGET: f64 = 0.5;

/// One source.
pub(super) struct Status {
    entity: Entity,
    name: &'static str,
    interval: i64,
    begun: Option<Timestamp>,
    up: bool,
    polls: i64,
    failures: i64,
    events: i64,
}

impl Status {
    /// One that is polled every so many seconds.
    ///
    /// # Errors
    /// A name that no entity may have.
    pub(super) fn new(
        name: &'static str,
        kind: &str,
        agent: &str,
        interval: i64,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            entity: entity("source", name)?
                .with_label("kind", kind)
                .with_label("agent", agent),
            name,
            interval,
            begun: None,
            up: true,
            polls: 0,
            failures: 0,
            events: 0,
        })
    }

    /// So many events were told.
    pub(super) fn observed(&mut self, events: usize) {
        self.events += i64::try_from(events).unwrap_or(0);
    }

    /// Tells when it went down or came up, and now and then how it is.
    pub(super) fn tell(&mut self, answers: bool, span: Span, told: &mut Told) {
        let moved = self.up != answers;
        self.up = answers;
        let polls = (span.to.since(span.from) / 1000 / self.interval).max(1);
        self.polls += polls;
        if !answers {
            self.failures += polls;
        }
        self.begun.get_or_insert(span.to);
        if moved || span.slow {
            told.source(span.to, self.entity.clone(), self.fields(span.to));
        }
    }

    fn fields(&self, at: Timestamp) -> Fields {
        let (state, class, reason, fix) = if self.up {
            ("up", "", "", "")
        } else {
            (
                "down",
                "unreachable",
                "it cannot be reached: Connection refused (os error 111)",
                "check that the service runs, and that this machine reaches it: host, port, firewall",
            )
        };
        // from a few to some tens of milliseconds
        let tick = at.as_millis() / 60_000;
        let seconds = 0.004 + 0.03 * chance::unit(0, self.name, tick).powi(4);
        let seconds = whole(seconds * 1000.0);
        let mut fields = Fields::new();
        fields
            .set("up", self.up)
            .set_text("state", state)
            .set_text("class", class)
            .set_text("reason", reason)
            .set_text("fix", fix)
            .set_text("finding", "")
            .set("polls_total", self.polls)
            .set("failures_total", self.failures)
            .set("events_total", self.events)
            .set("dropped_total", 0_i64)
            .set_rounded("interval_seconds", real(self.interval), 3)
            .set_rounded("configured_interval_seconds", real(self.interval), 3)
            .set_rounded("budget_ratio", BUDGET, 3)
            .set_rounded("busy_seconds_total", real(self.polls) * 0.012, 3)
            .set("requests_total", self.polls)
            .set_rounded(
                "busy_ratio",
                real(seconds) / 1000.0 / real(self.interval),
                4,
            )
            .set_rounded("poll_seconds", real(seconds) / 1000.0, 3);
        fields
    }
}
