//! A source that does what a test says, in a real scheduler over a real log.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use prometheus_client::registry::Registry;
use schemas::{Event, FieldValue, MetricDef, SourceName};
use serde::Deserialize;
use supervision::Supervisor;

use crate::{
    Configured, Environment, OpenError, Sources, Supplier, integration::Integration, source::*,
    testing::Faulty,
};

pub(super) const FIVE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Good,
    Many(usize),
    Fail(FailureClass),
    /// Good, and so many things are found to be down, of a class.
    Found(usize, &'static str),
    Panic,
    Hang,
    Slow(Duration),
}

#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) steps: Mutex<VecDeque<Step>>,
    pub(super) polls: Mutex<Vec<Instant>>,
    pub(super) in_flight: AtomicBool,
    pub(super) opened: AtomicUsize,
    pub(super) speaks: tokio::sync::Notify,
    pub(super) poll_now: AtomicBool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Params {
    #[serde(skip)]
    pub(super) script: Arc<Script>,
}

pub(super) struct Scripted(Arc<Script>);

struct InFlight<'a>(&'a AtomicBool);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

pub(super) fn thing() -> Entity {
    Entity::new(
        EntityType::new("thing").unwrap(),
        EntityId::new("a").unwrap(),
    )
}

pub(super) fn reading(number: i64) -> Fields {
    let mut fields = Fields::new();
    fields.set("number", number);
    fields
}

impl Integration for Scripted {
    const KIND: &'static str = "scripted";
    const HELP: &'static str = "Does what a test says";
    const DEFAULT_INTERVAL: Duration = FIVE;
    const METRICS: &'static [MetricDef] = &[];
    const EXAMPLE: &'static str = "";
    type Params = Params;

    fn open(params: Params, _: &Context) -> Result<Self, OpenError> {
        params.script.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Self(params.script))
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let before = self.0.in_flight.swap(true, Ordering::SeqCst);
        assert!(!before, "two polls are in flight");
        let _in_flight = InFlight(&self.0.in_flight);
        self.0.polls.lock().unwrap().push(Instant::now());
        let step = self.0.steps.lock().unwrap().pop_front();
        match step.unwrap_or(Step::Good) {
            Step::Good => batch.sample(thing(), reading(1)),
            Step::Many(count) => {
                for n in 0..count {
                    batch.sample(thing(), reading(i64::try_from(n).unwrap()));
                }
            }
            Step::Fail(class) => return Err(PollError::new(class, "as the test says")),
            Step::Found(count, class) => {
                batch.sample(thing(), reading(1));
                for n in (0..count).rev() {
                    batch.finding(Finding {
                        what: format!("site {n}"),
                        class,
                        message: "it does not answer".to_owned(),
                    });
                }
            }
            Step::Panic => panic!("the test panics"),
            Step::Hang => std::future::pending().await,
            Step::Slow(time) => {
                crate::cost::request();
                tokio::time::sleep(time).await;
            }
        }
        Ok(())
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        self.0.speaks.notified().await;
        batch.change(Timestamp::now(), thing(), reading(77));
        if self.0.poll_now.load(Ordering::SeqCst) {
            Heard::PollNow
        } else {
            Heard::Events
        }
    }
}

pub(super) struct Bench {
    pub(super) script: Arc<Script>,
    pub(super) log: Arc<Faulty>,
    pub(super) sources: Sources,
    pub(super) registry: Registry,
    pub(super) supervisor: Supervisor,
}

pub(super) fn start(steps: &[Step]) -> Bench {
    start_with(steps, Faulty::new())
}

pub(super) fn start_with(steps: &[Step], log: Arc<Faulty>) -> Bench {
    let script = Arc::new(Script {
        steps: Mutex::new(steps.iter().copied().collect()),
        ..Script::default()
    });
    let supervisor = Supervisor::new();
    let mut registry = Registry::default();
    let source = SourceConfig {
        name: SourceName::new("a.scripted").unwrap(),
        interval: FIVE,
        timeout: Duration::from_secs(10),
        integration: Configured::of::<Scripted>(Params {
            script: Arc::clone(&script),
        }),
    };
    let environment = Environment {
        log: Arc::clone(&log) as Arc<dyn EventLog>,
        agent: schemas::name::AgentName::new("agent").unwrap(),
        hostname: Arc::from("here"),
        metrics: CollectorMetrics::register(&mut registry),
    };
    let sources = Sources::default();
    sources.apply(Supplier::Config, vec![source]);
    crate::start(&supervisor, &sources, environment);
    Bench {
        script,
        log,
        sources,
        registry,
        supervisor,
    }
}

impl Bench {
    pub(super) async fn run(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub(super) async fn of_type(&self, event_type: EventType) -> Vec<Arc<Event>> {
        let mut events = self.log.events().await;
        events.retain(|event| event.event_type == event_type);
        events
    }

    /// State, class and whether it is up, of each `source` event.
    pub(super) async fn told(&self) -> Vec<(String, String, bool)> {
        self.of_type(EventType::Source)
            .await
            .iter()
            .map(|event| {
                let Some(FieldValue::Bool(up)) = event.fields.get("up") else {
                    panic!("no up in {event:?}")
                };
                (text(event, "state"), text(event, "class"), *up)
            })
            .collect()
    }

    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        let mut out = String::new();
        prometheus_client::encoding::text::encode(&mut out, &self.registry).unwrap();
        out.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }
}

pub(super) fn text(event: &Event, field: &str) -> String {
    event
        .fields
        .get(field)
        .map(ToString::to_string)
        .unwrap_or_default()
}

pub(super) fn words(state: &str, class: &str, up: bool) -> (String, String, bool) {
    (state.to_owned(), class.to_owned(), up)
}
