//! One try of a source: whether it can be reached as it is configured, without an event of it going anywhere.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use schemas::{Timestamp, name::EntityId};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    Batch, Context, FailureClass, Finding, PollError, SourceConfig,
    integration::{Given, Heard, Opened},
};

/// How long a try waits for what is asked beside a poll, such as the disks of a NAS.
pub const FIRST_ANSWERS: Duration = Duration::from_secs(30);
/// How soon a source is polled a second time that wants it, since what it measures is the difference of two readings.
const SECOND_POLL: Duration = Duration::from_secs(1);

/// What a try came to.
#[derive(Debug)]
pub struct Trial {
    /// How long it took.
    pub took: Duration,
    /// What was seen, or why nothing was.
    pub result: Result<Seen, PollError>,
    /// What the service gave for the code.
    pub given: Option<Given>,
}

/// What was seen of a source until all that it reads was answered once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many entities, by their type.
    pub entities: BTreeMap<String, usize>,
    /// How many readings of them.
    pub readings: usize,
    /// Not all was answered within [`FIRST_ANSWERS`].
    pub is_partial: bool,
    /// What the source, which works, found to be down.
    pub findings: Vec<Finding>,
}

/// Reads a source once, with what it asks beside its polls. It is not tried again, whatever it answers: a password that is
/// refused costs one attempt. A one-time code of a second factor goes with its login.
pub async fn try_once(config: &SourceConfig, context: &Context, code: Option<&str>) -> Trial {
    let began = Instant::now();
    let mut given = None;
    let other = |why| Err(PollError::new(FailureClass::Other, why));
    let result = match config.integration.open(context) {
        Ok(mut opened) => {
            if code.is_some_and(|code| !opened.take_code(code)) {
                other(format!(
                    "a source of kind `{}` has no use for a one-time code",
                    config.integration.kind()
                ))
            } else {
                let result = read(&mut *opened, config.timeout).await;
                given = opened.given();
                result
            }
        }
        Err(e) => other(e.to_string()),
    };
    Trial {
        took: began.elapsed(),
        result,
        given,
    }
}

async fn read(opened: &mut dyn Opened, patience: Duration) -> Result<Seen, PollError> {
    let mut things = Things::default();
    poll(opened, patience, &mut things).await?;
    let until = Instant::now() + FIRST_ANSWERS;
    while opened.is_reading() && Instant::now() < until {
        let mut batch = Batch::live();
        let heard = timeout_at(until, opened.listen(&mut batch)).await;
        things.take(batch);
        if let Ok(Heard::PollNow) = heard {
            sleep(SECOND_POLL).await;
            poll(opened, patience, &mut things).await?;
        }
    }
    Ok(things.seen(opened.is_reading()))
}

async fn poll(
    opened: &mut dyn Opened,
    patience: Duration,
    things: &mut Things,
) -> Result<(), PollError> {
    let mut batch = Batch::at(Timestamp::now());
    timeout(patience, opened.poll(&mut batch))
        .await
        .unwrap_or_else(|_| Err(PollError::too_slow(patience)))?;
    things.findings = batch.take_findings();
    things.take(batch);
    Ok(())
}

/// The fields of entities, each counted once.
#[derive(Default)]
struct Things {
    fields: BTreeMap<String, BTreeMap<EntityId, HashSet<String>>>,
    /// Of the last poll.
    findings: Vec<Finding>,
}

impl Things {
    fn take(&mut self, batch: Batch) {
        let (events, _) = batch.into_parts();
        for event in events {
            let of_type = self.fields.entry(event.entity.entity_type.to_string());
            let fields = of_type.or_default().entry(event.entity.id).or_default();
            fields.extend(event.fields.iter().map(|(name, _)| name.to_string()));
        }
    }

    fn seen(self, is_partial: bool) -> Seen {
        let all = self.fields.values().flat_map(BTreeMap::values);
        let readings = all.map(HashSet::len).sum();
        let counted = self
            .fields
            .into_iter()
            .map(|(of_type, things)| (of_type, things.len()));
        Seen {
            entities: counted.collect(),
            readings,
            is_partial,
            findings: self.findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Configured, integrations, testing::context};
    use schemas::{Entity, Fields, SourceName, name::EntityType};

    fn source(kind: &str, options: &str, timeout: Duration) -> SourceConfig {
        let integration: Configured = integrations::find(kind)
            .unwrap()
            .parse(options.parse().unwrap())
            .unwrap();
        SourceConfig {
            name: SourceName::new("a").unwrap(),
            interval: Duration::from_secs(5),
            timeout,
            integration,
        }
    }

    #[tokio::test]
    async fn what_one_poll_sees_is_counted() {
        let host = source("host", "", Duration::from_secs(10));
        let seen = try_once(&host, &context("a"), None).await.result.unwrap();
        assert_eq!(seen.entities.get("host"), Some(&1), "{seen:?}");
        assert!(seen.readings > 5, "{seen:?}");
        let trial = try_once(&host, &context("a"), Some("123456")).await;
        let why = trial.result.unwrap_err();
        assert!(why.message.contains("`host` has no use"), "{why}");
    }

    /// What a service does that answers a part of what it is asked beside the polls.
    #[derive(Default)]
    struct Late {
        polls: usize,
        /// What is still to be heard.
        rest: Vec<Step>,
    }

    #[derive(Clone, Copy)]
    enum Step {
        /// A part, after a while.
        Part(&'static str, Duration),
        /// An answer that tells nothing.
        Nothing,
        /// Another poll would tell more.
        Again,
    }

    fn thing(id: &str) -> Entity {
        Entity::new(
            EntityType::new("thing").unwrap(),
            EntityId::new(id).unwrap(),
        )
    }

    #[async_trait::async_trait]
    impl Opened for Late {
        async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
            self.polls += 1;
            if self.polls > 1 {
                batch.sample(thing("second"), reading());
            }
            batch.sample(thing("first"), reading());
            Ok(())
        }

        async fn listen(&mut self, batch: &mut Batch) -> Heard {
            match self.rest.first().copied() {
                Some(Step::Part(id, time)) => {
                    sleep(time).await;
                    batch.sample(thing(id), reading());
                }
                Some(Step::Nothing) => {}
                Some(Step::Again) => {
                    self.rest.remove(0);
                    return Heard::PollNow;
                }
                None => std::future::pending().await,
            }
            self.rest.remove(0);
            Heard::Events
        }

        fn is_reading(&self) -> bool {
            !self.rest.is_empty()
        }

        fn take_code(&mut self, _: &str) -> bool {
            false
        }

        fn given(&mut self) -> Option<Given> {
            None
        }
    }

    fn reading() -> Fields {
        let mut fields = Fields::new();
        fields.set("number", 1_i64);
        fields
    }

    async fn see(rest: &[Step]) -> (Seen, usize) {
        let mut late = Late {
            rest: rest.to_vec(),
            ..Late::default()
        };
        let seen = read(&mut late, Duration::from_secs(10)).await.unwrap();
        (seen, late.polls)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_beside_the_poll_is_waited_for() {
        let slow = Duration::from_secs(12);
        let (seen, polls) = see(&[
            Step::Part("disk", slow),
            Step::Nothing,
            Step::Part("volume", slow),
            Step::Part("volume", Duration::ZERO),
        ])
        .await;
        assert_eq!((seen.readings, polls), (3, 1), "each reading counts once");
        assert_eq!(seen.entities.get("thing"), Some(&3));
        assert!(!seen.is_partial);

        let (seen, _) = see(&[Step::Part("disk", slow), Step::Part("volume", 2 * slow)]).await;
        assert_eq!(seen.readings, 2);
        assert!(seen.is_partial);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_two_polls_gets_two() {
        let (seen, polls) = see(&[Step::Again]).await;
        assert_eq!((seen.readings, polls), (2, 2));
        let forever = [Step::Again; 100];
        let (seen, polls) = see(&forever).await;
        assert!(seen.is_partial && polls <= 31, "{polls}");
    }

    #[tokio::test]
    async fn whoever_does_not_answer_is_told_as_that() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("url = \"http://{}\"", listener.local_addr().unwrap());
        let silent = source("prometheus", &url, Duration::from_millis(200));
        let trial = try_once(&silent, &context("a"), None).await;
        assert_eq!(trial.result.unwrap_err().class, FailureClass::Timeout);
        drop(listener);
        let closed = source("prometheus", &url, Duration::from_secs(5));
        let trial = try_once(&closed, &context("a"), None).await;
        assert_eq!(trial.result.unwrap_err().class, FailureClass::Unreachable);
    }
}
