//! A hub as the destination of an agent: `POST /api/v1/events` with the agent's own token, gzip, and answers that are bounded.

mod answer;
mod body;
mod enrolment;

pub use enrolment::{Enrolment, InvalidEnrolment};

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http_client::{BuildError, Client, Request, Response, StatusCode, Tls};
use schemas::{Event, SourceName, name::AgentName};
use secrecy::SecretString;
use tracing::warn;

use self::{
    answer::{ClaimAnswer, ClaimRequest, SequencesAnswer},
    body::Body,
};
use crate::{Destination, DestinationError, ForeignSource, Refusal, SequenceState, Taken};

/// Most events of one push.
const MOST_EVENTS: usize = 2000;
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Longest time that a hub may ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How a hub is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address, with a path where a proxy serves it under one: `https://hub:3001`.
    pub url: String,
    /// This agent's token.
    pub token: SecretString,
    /// Which server is believed to be the hub.
    pub tls: Tls,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Options {
    /// The usual bounds.
    pub fn new(enrolment: Enrolment) -> Self {
        Self {
            url: enrolment.url,
            token: enrolment.token,
            tls: enrolment.tls,
            timeout: Duration::from_mins(1),
        }
    }
}

/// A hub.
#[derive(Debug)]
pub struct Hub {
    client: Client,
    base: String,
    name: String,
    token: SecretString,
}

impl Hub {
    /// Sets the way to a hub up; talks to nobody yet.
    ///
    /// # Errors
    /// The file of authorities cannot be used.
    pub fn open(options: Options) -> Result<Self, BuildError> {
        let client = Client::new(http_client::Options {
            tls: options.tls,
            timeout: options.timeout,
            read_timeout: options.timeout,
            max_body: MAX_ANSWER,
            ..http_client::Options::default()
        })?;
        let base = options.url.trim_end_matches('/').to_owned();
        let shown = base.split("://").nth(1).unwrap_or(&base);
        let shown = shown.rsplit('@').next().unwrap_or(shown);
        let name = format!("hub {shown}");
        if client.is_insecure() {
            warn!(
                hub = shown,
                "{name} is believed without proof (insecure = true): whoever sits on the way reads the token and every event"
            );
        }
        Ok(Self {
            client,
            name,
            base,
            token: options.token,
        })
    }

    fn request(&self, method: http_client::Method, path: &str) -> Request {
        self.client
            .request(method, &format!("{}{path}", self.base))
            .bearer(&self.token)
    }

    /// Sends a body; one that a proxy finds too large goes in halves.
    async fn push(&self, events: &[Arc<Event>], taken: &mut Taken) -> Result<(), DestinationError> {
        let mut left = vec![(0, events)];
        while let Some((first, events)) = left.pop() {
            if events.is_empty() {
                continue;
            }
            let body = Body::of(events.to_vec()).await?;
            if body.events < events.len() {
                let (head, rest) = events.split_at(body.events.max(1));
                left.push((first + head.len(), rest));
                left.push((first, head));
                continue;
            }
            let answer = self
                .request(http_client::Method::POST, "/api/v1/events")
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", "gzip")
                .body(body.gzip)
                .send()
                .await
                .map_err(|e| explain(&e))?;
            if answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
                if events.len() > 1 {
                    let (head, rest) = events.split_at(events.len() / 2);
                    left.push((first + head.len(), rest));
                    left.push((first, head));
                } else {
                    taken.refused.push(Refusal {
                        index: first,
                        code: "too_large".to_owned(),
                        message: format!("{} takes no event of this size", self.name),
                    });
                }
                continue;
            }
            self.account(answer, events.len(), first, taken).await?;
        }
        Ok(())
    }

    async fn account(
        &self,
        answer: Response,
        count: usize,
        first: usize,
        taken: &mut Taken,
    ) -> Result<(), DestinationError> {
        let status = answer.status();
        if status != StatusCode::OK && status != StatusCode::UNPROCESSABLE_ENTITY {
            return Err(self.refused(answer).await);
        }
        let answer: answer::PushAnswer = answer.json().await.map_err(|e| explain(&e))?;
        let answered = answer.accepted + answer.duplicates + answer.rejected.len();
        if answered != count || answer.rejected.iter().any(|r| r.index >= count) {
            return Err(DestinationError::away(format!(
                "{} answered for {answered} of {count} events: is something between that changes requests?",
                self.name
            )));
        }
        if let Some(claimed) = answer.rejected.iter().find(|r| r.code == "source_claimed") {
            return Err(DestinationError::Claimed {
                message: format!("{}: {}", self.name, shown(&claimed.message)),
            });
        }
        taken.appended += answer.accepted;
        taken.duplicates += answer.duplicates;
        taken
            .refused
            .extend(answer.rejected.into_iter().map(|r| Refusal {
                index: first + r.index,
                code: shown(&r.code),
                message: shown(&r.message),
            }));
        Ok(())
    }

    /// What an answer other than success means.
    async fn refused(&self, answer: Response) -> DestinationError {
        let status = answer.status();
        let retry_after = answer.retry_after().map(|wait| wait.min(LONGEST_WAIT));
        let name = &self.name;
        let words = answer::words(&answer.excerpt().await);
        let denied = DestinationError::denied;
        match status.as_u16() {
            401 => denied(format!(
                "{name} does not know this agent's token ({words}): enrol the agent again with `homelog token create --agent NAME` on the hub"
            )),
            403 => denied(format!(
                "{name} does not let this token push ({words}): use the token of an agent, from `homelog token create --agent NAME`"
            )),
            404 | 405 => denied(format!(
                "{name} has no such call ({status}): is the address that of a homelog of at least this version, with its path behind a proxy?"
            )),
            400..=499 if status.as_u16() != 408 && status.as_u16() != 429 => {
                denied(format!("{name} refuses what is sent ({status}): {words}"))
            }
            _ => DestinationError::Away {
                message: format!("{name} cannot take events now ({status}): {words}"),
                retry_after,
            },
        }
    }
}

/// Words of a server on one line of bounded length.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(500)
        .collect()
}

fn explain(error: &http_client::Error) -> DestinationError {
    use http_client::Error as E;
    let message = error.to_string();
    match error {
        E::Address { .. } | E::Request { .. } | E::Plain { .. } | E::Redirect { .. } => {
            DestinationError::denied(message)
        }
        // a certificate is replaced on either side, so that it is tried again, slowly
        E::Certificate { .. } | E::Tls { .. } => DestinationError::denied(message),
        _ => DestinationError::away(message),
    }
}

#[async_trait]
impl Destination for Hub {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_events(&self) -> usize {
        MOST_EVENTS
    }

    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError> {
        let mut taken = Taken::default();
        self.push(&events, &mut taken).await?;
        taken.refused.sort_by_key(|refusal| refusal.index);
        Ok(taken)
    }

    async fn last_seqs(
        &self,
        sources: &[SourceName],
    ) -> Result<Vec<SequenceState>, DestinationError> {
        let answer = self
            .request(http_client::Method::GET, "/api/v1/agents/self/sequences")
            .send()
            .await
            .map_err(|e| explain(&e))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer).await);
        }
        let answer: SequencesAnswer = answer.json().await.map_err(|e| explain(&e))?;
        Ok(answer
            .sequences
            .into_iter()
            .filter(|sequence| sources.contains(&sequence.source))
            .map(|sequence| SequenceState {
                source: sequence.source,
                epoch: sequence.epoch,
                last_seq: sequence.last_seq,
                holes: sequence.holes,
            })
            .collect())
    }

    async fn claim(
        &self,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        let answer = self
            .request(http_client::Method::POST, "/api/v1/agents/self/sources")
            .json(&ClaimRequest { sources, take_over })
            .send()
            .await
            .map_err(|e| explain(&e))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer).await);
        }
        let answer: ClaimAnswer = answer.json().await.map_err(|e| explain(&e))?;
        Ok(answer
            .foreign
            .into_iter()
            .map(|foreign| ForeignSource {
                source: foreign.source,
                owner: AgentName::clone(&foreign.owner),
            })
            .collect())
    }
}
