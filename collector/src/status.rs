use std::time::Duration;

use schemas::{
    Fields, MetricDef,
    catalog::{MetricKind, Unit, ValueType},
};

use tokio::time::Instant;

use crate::{FailureClass, Finding, PollError, pace::BUDGET};

/// A share of less time says nothing.
const SHORTEST_SPAN: Duration = Duration::from_secs(30);
/// Most findings that are told one by one.
const MOST_TOLD: usize = 3;

/// The metrics of the entity `source`.
pub(crate) static METRICS: &[MetricDef] = &[
    MetricDef::flag("source", "up", "whether the last poll was good"),
    MetricDef::state(
        "source",
        "state",
        "up, down, stalled: the collector itself was held up, which says nothing about the service; or removed: it is no longer configured",
    ),
    MetricDef::state(
        "source",
        "reason",
        "why it is not up and what to do; empty when up",
    ),
    MetricDef::state(
        "source",
        "class",
        "why it is not up, as a stable name; empty when up",
    ),
    MetricDef::state(
        "source",
        "fix",
        "what to do about failures of that class; empty when up",
    ),
    MetricDef::state(
        "source",
        "finding",
        "what a source that is up found to be down, for sources that look for that; empty if nothing",
    ),
    MetricDef::gauge(
        "source",
        "poll_seconds",
        Unit::Seconds,
        "how long a poll takes, mean since the event before",
    ),
    MetricDef::gauge(
        "source",
        "interval_seconds",
        Unit::Seconds,
        "time between polls, longer than configured while the service answers slowly",
    ),
    MetricDef::gauge(
        "source",
        "configured_interval_seconds",
        Unit::Seconds,
        "time between polls as it is configured",
    ),
    MetricDef::gauge(
        "source",
        "busy_ratio",
        Unit::Ratio,
        "share of the time in which the service was being polled, since the event before",
    ),
    MetricDef::gauge(
        "source",
        "budget_ratio",
        Unit::Ratio,
        "most of the time that polls may take up before they become fewer",
    ),
    MetricDef {
        entity_type: "source",
        field: "busy_seconds_total",
        unit: Unit::Seconds,
        kind: MetricKind::Counter,
        value: ValueType::Float,
        help: "how long the service was being polled since the start",
    },
    MetricDef::counter(
        "source",
        "requests_total",
        Unit::Count,
        "HTTP requests to the service since the start",
    ),
    MetricDef::gauge(
        "source",
        "stalled_seconds",
        Unit::Seconds,
        "how long the collector was held up",
    ),
    MetricDef::counter(
        "source",
        "polls_total",
        Unit::Count,
        "polls since the start",
    ),
    MetricDef::counter(
        "source",
        "failures_total",
        Unit::Count,
        "polls that failed since the start",
    ),
    MetricDef::counter(
        "source",
        "events_total",
        Unit::Count,
        "events observed since the start",
    ),
    MetricDef::counter(
        "source",
        "dropped_total",
        Unit::Count,
        "events that were lost before the log took them, since the start",
    ),
];

/// What the collector knows about one source.
#[derive(Debug)]
pub(crate) struct Status {
    state: State,
    findings: Vec<Finding>,
    polls: u64,
    failures: u64,
    events: u64,
    timed: Duration,
    timed_polls: u32,
    interval: Duration,
    configured: Duration,
    busy: Duration,
    busy_before: Duration,
    busy_since: Instant,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Starting,
    Up,
    Down(FailureClass, String),
    Stalled { up_before: bool, seconds: f64 },
    Removed,
}

impl Status {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            state: State::Starting,
            findings: Vec::new(),
            polls: 0,
            failures: 0,
            events: 0,
            timed: Duration::ZERO,
            timed_polls: 0,
            interval,
            configured: interval,
            busy: Duration::ZERO,
            busy_before: Duration::ZERO,
            busy_since: Instant::now(),
        }
    }

    /// The time between polls is another one now.
    pub(crate) fn paced(&mut self, interval: Duration) {
        self.interval = interval;
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(
            self.state,
            State::Up
                | State::Stalled {
                    up_before: true,
                    ..
                }
        )
    }

    /// Whether anything is known that an event could tell.
    pub(crate) fn is_known(&self) -> bool {
        self.state != State::Starting
    }

    pub(crate) fn observed(&mut self, events: usize) {
        self.events += u64::try_from(events).unwrap_or(u64::MAX);
    }

    /// Takes in a poll that ended. Returns whether the state, or what is found to be down, moved.
    pub(crate) fn polled(
        &mut self,
        result: Result<Vec<Finding>, PollError>,
        took: Duration,
    ) -> bool {
        self.polls += 1;
        self.timed += took;
        self.busy += took;
        self.timed_polls += 1;
        let (state, mut findings) = match result {
            Ok(findings) => (State::Up, findings),
            Err(e) => {
                self.failures += 1;
                (State::Down(e.class, e.message), Vec::new())
            }
        };
        // they may have been looked for all at once
        findings.sort_by(|a, b| a.what.cmp(&b.what));
        let same = |(a, b): (&Finding, &Finding)| (&a.what, a.class) == (&b.what, b.class);
        let found_other =
            findings.len() != self.findings.len() || !findings.iter().zip(&self.findings).all(same);
        self.findings = findings;
        let moved = match (&self.state, &state) {
            // the same class in other words is not a move: addresses and counts in a message change all the time
            (State::Down(before, _), State::Down(now, _)) => before != now,
            (before, now) => before != now,
        };
        self.state = state;
        moved || found_other
    }

    fn finding(&self) -> String {
        let first = self.findings.iter().take(MOST_TOLD);
        let mut told: Vec<_> = first.map(Finding::to_string).collect();
        let more = self.findings.len() - told.len();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told.join("; ")
    }

    /// The collector itself was held up.
    pub(crate) fn stalled(&mut self, held_up: Duration) {
        self.state = State::Stalled {
            up_before: self.is_up(),
            seconds: held_up.as_secs_f64(),
        };
    }

    /// It is no longer configured.
    pub(crate) fn removed(&mut self) {
        self.state = State::Removed;
    }

    /// The fields of a `source` event; the mean of the poll time begins anew.
    pub(crate) fn report(&mut self, dropped: u64, requests: u64) -> Fields {
        let mut fields = Fields::new();
        let class = match &self.state {
            State::Down(class, _) => Some(*class),
            State::Starting | State::Up | State::Stalled { .. } | State::Removed => None,
        };
        let (state, reason) = match &self.state {
            State::Starting | State::Up => ("up", ""),
            State::Down(_, reason) => ("down", reason.as_str()),
            State::Removed => ("removed", "it is no longer configured"),
            State::Stalled { seconds, .. } => {
                fields.set_rounded("stalled_seconds", *seconds, 1);
                (
                    "stalled",
                    "the collector was held up: this machine slept, was overloaded, or its clock was set",
                )
            }
        };
        fields
            .set("up", self.is_up())
            .set_text("state", state)
            .set_text("class", class.map_or("", FailureClass::as_str))
            .set_text("fix", class.map_or("", FailureClass::fix))
            .set_text("reason", reason)
            .set_text("finding", &self.finding())
            .set("polls_total", self.polls)
            .set("failures_total", self.failures)
            .set("events_total", self.events)
            .set("dropped_total", dropped)
            .set_rounded("interval_seconds", self.interval.as_secs_f64(), 3)
            .set_rounded(
                "configured_interval_seconds",
                self.configured.as_secs_f64(),
                3,
            )
            .set_rounded("budget_ratio", BUDGET, 3)
            .set_rounded("busy_seconds_total", self.busy.as_secs_f64(), 3)
            .set("requests_total", requests);
        let now = Instant::now();
        let span = now.saturating_duration_since(self.busy_since);
        if span >= SHORTEST_SPAN.max(self.interval) {
            let busy = self.busy.saturating_sub(self.busy_before).as_secs_f64();
            fields.set_rounded("busy_ratio", (busy / span.as_secs_f64()).min(1.0), 4);
            (self.busy_before, self.busy_since) = (self.busy, now);
        }
        if self.timed_polls > 0 {
            fields.set_rounded(
                "poll_seconds",
                self.timed.as_secs_f64() / f64::from(self.timed_polls),
                3,
            );
        }
        self.timed = Duration::ZERO;
        self.timed_polls = 0;
        fields
    }
}
