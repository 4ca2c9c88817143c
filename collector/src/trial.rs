//! One try of a source: whether it can be reached as it is configured, without an event of it going anywhere.

use std::{collections::BTreeMap, time::Duration};

use schemas::Timestamp;
use tokio::time::Instant;

use crate::{Batch, Context, FailureClass, PollError, SourceConfig};

/// What a try came to.
#[derive(Debug)]
pub struct Trial {
    /// How long it took.
    pub took: Duration,
    /// What was seen, or why nothing was.
    pub result: Result<Seen, PollError>,
}

/// What one poll saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many entities, by their type.
    pub entities: BTreeMap<String, usize>,
    /// How many readings of them.
    pub readings: usize,
}

/// Polls a source once. It is not tried again, whatever it answers: a password that is refused costs one attempt.
pub async fn try_once(config: &SourceConfig, context: &Context) -> Trial {
    let began = Instant::now();
    let mut batch = Batch::at(Timestamp::now());
    let result = match config.integration.open(context) {
        Ok(mut opened) => {
            let poll = opened.poll(&mut batch);
            match tokio::time::timeout(config.timeout, poll).await {
                Ok(result) => result,
                Err(_) => Err(PollError::too_slow(config.timeout)),
            }
        }
        Err(e) => Err(PollError::new(FailureClass::Other, e.to_string())),
    };
    Trial {
        took: began.elapsed(),
        result: result.map(|()| seen(batch)),
    }
}

fn seen(batch: Batch) -> Seen {
    let (events, _) = batch.into_parts();
    let readings = events.iter().map(|event| event.fields.len()).sum();
    let mut things: Vec<_> = events
        .into_iter()
        .map(|event| (event.entity.entity_type.to_string(), event.entity.id))
        .collect();
    things.sort();
    things.dedup();
    let mut entities = BTreeMap::new();
    for (entity_type, _) in things {
        *entities.entry(entity_type).or_default() += 1;
    }
    Seen { entities, readings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Configured, integrations, testing::context};
    use schemas::SourceName;

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
        let seen = try_once(&host, &context("a")).await.result.unwrap();
        assert_eq!(seen.entities.get("host"), Some(&1), "{seen:?}");
        assert!(seen.readings > 5, "{seen:?}");
    }

    #[tokio::test]
    async fn whoever_does_not_answer_is_told_as_that() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("url = \"http://{}\"", listener.local_addr().unwrap());
        let silent = source("prometheus", &url, Duration::from_millis(200));
        let trial = try_once(&silent, &context("a")).await;
        assert_eq!(trial.result.unwrap_err().class, FailureClass::Timeout);
        drop(listener);
        let closed = source("prometheus", &url, Duration::from_secs(5));
        let trial = try_once(&closed, &context("a")).await;
        assert_eq!(trial.result.unwrap_err().class, FailureClass::Unreachable);
    }
}
