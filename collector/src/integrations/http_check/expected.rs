//! What a good answer is, and asking for one.

use std::{fmt, ops::RangeInclusive, time::Duration};

use http_client::{Client, Error, Response};
use serde::{Deserialize, Deserializer, de};
use tokio::time::Instant;

use crate::{credentials::Credentials, service::failed};

/// Most bytes of a page that are searched.
const SEARCHED: usize = 1024 * 1024;
/// The class of a check whose credentials were refused.
pub(super) const REFUSED: &str = "bad_credentials";
/// Most statuses and ranges.
const MOST: usize = 32;

/// Statuses and ranges of statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statuses(Vec<RangeInclusive<u16>>);

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![200..=299])
    }
}

impl Statuses {
    pub(super) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, range) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let (first, last) = (range.start(), range.end());
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = Vec::<Range>::deserialize(deserializer)?;
        if (1..=MOST).contains(&ranges.len()) {
            Ok(Self(ranges.into_iter().map(|range| range.0).collect()))
        } else {
            Err(de::Error::custom(format_args!(
                "between one and {MOST} statuses are wanted, such as [\"200-299\", 401]"
            )))
        }
    }
}

struct Range(RangeInclusive<u16>);

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RangeVisitor)
    }
}

struct RangeVisitor;

impl de::Visitor<'_> for RangeVisitor {
    type Value = Range;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status as 204, or a range as \"200-299\"")
    }

    fn visit_i64<E: de::Error>(self, status: i64) -> Result<Range, E> {
        self.visit_str(&status.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Range, E> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |text: &str| {
            text.trim()
                .parse::<u16>()
                .ok()
                .filter(|status| (100..=599).contains(status))
        };
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Range(first..=last)),
            _ => Err(E::custom(format_args!(
                "`{}` is no status between 100 and 599 and no range of them, such as \"200-299\"",
                schemas::name::excerpt(text)
            ))),
        }
    }
}

/// What is asked with, and what makes an answer good.
pub(super) struct Expected {
    pub(super) client: Client,
    pub(super) credentials: Credentials,
    pub(super) statuses: Statuses,
    /// Empty where no text is looked for.
    pub(super) text: String,
}

/// Why an answer is none or no good one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// A stable name.
    pub(super) class: &'static str,
    /// What is wrong and what to do.
    pub(super) message: String,
}

/// What a check found out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) status: Option<u16>,
    /// Until the head of the answer.
    pub(super) latency: Option<Duration>,
    /// End of the certificate as Unix time in seconds.
    pub(super) not_after: Option<i64>,
    pub(super) failure: Option<Failure>,
}

impl Expected {
    /// Asks once.
    pub(super) async fn ask(&self, url: &str) -> Outcome {
        let began = Instant::now();
        crate::cost::request();
        let request = self.client.get(url).header("accept", "*/*");
        let asked = self.credentials.show(request).send().await;
        let latency = began.elapsed();
        match asked {
            Ok(answer) => Outcome {
                status: Some(answer.status().as_u16()),
                latency: Some(latency),
                not_after: answer.not_after(),
                failure: self.judge(answer).await.err(),
            },
            Err(e) => Outcome {
                not_after: match &e {
                    Error::Certificate { not_after, .. } => *not_after,
                    _ => None,
                },
                failure: Some(Failure::of(&e)),
                ..Outcome::default()
            },
        }
    }

    async fn judge(&self, answer: Response) -> Result<(), Failure> {
        let status = answer.status();
        if !self.statuses.contains(status.as_u16()) {
            if status.as_u16() == 401 && !self.credentials.is_none() {
                return Err(Failure {
                    class: REFUSED,
                    message: "it does not accept the credentials (401): set new ones".to_owned(),
                });
            }
            return Err(Failure {
                class: "unexpected_status",
                message: format!("it answers {status}, expected is {}", self.statuses),
            });
        }
        if self.text.is_empty() || find(answer, self.text.as_bytes()).await? {
            return Ok(());
        }
        Err(Failure {
            class: "text_missing",
            message: format!(
                "its answer does not have `{}` in it",
                schemas::name::excerpt(&self.text)
            ),
        })
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        let failed = failed(error);
        Self {
            class: failed.class.as_str(),
            message: failed.message,
        }
    }
}

/// Whether the beginning of a page has a text in it; no more of it is read than that takes.
async fn find(mut answer: Response, text: &[u8]) -> Result<bool, Failure> {
    let mut page: Vec<u8> = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| Failure::of(&e))? {
        // what is new, and as much before it as the text may reach back
        let from = page.len().saturating_sub(text.len());
        page.extend_from_slice(&chunk);
        page.truncate(SEARCHED);
        if page
            .get(from..)
            .is_some_and(|new| new.windows(text.len()).any(|window| window == text))
        {
            return Ok(true);
        }
        if page.len() == SEARCHED {
            break;
        }
    }
    Ok(false)
}
