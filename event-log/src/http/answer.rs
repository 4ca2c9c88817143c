//! What a hub answers, read with suspicion: names are checked, numbers bounded.

use schemas::{Epoch, SourceName, name::AgentName};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(super) struct PushAnswer {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    #[serde(default)]
    pub(super) rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
pub(super) struct Rejected {
    pub(super) index: usize,
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct SequencesAnswer {
    pub(super) sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
pub(super) struct Sequence {
    pub(super) source: SourceName,
    pub(super) epoch: Epoch,
    #[serde(deserialize_with = "integer")]
    pub(super) last_seq: u64,
    #[serde(default)]
    pub(super) holes: Vec<(u64, u64)>,
}

#[derive(Serialize)]
pub(super) struct ClaimRequest<'a> {
    pub(super) sources: &'a [SourceName],
    pub(super) take_over: bool,
}

#[derive(Deserialize)]
pub(super) struct ClaimAnswer {
    pub(super) foreign: Vec<Foreign>,
}

#[derive(Deserialize)]
pub(super) struct Foreign {
    pub(super) source: SourceName,
    pub(super) owner: AgentName,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

/// A number, or its text where it is beyond what every reader of JSON keeps whole.
fn integer<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    struct Integer;
    impl serde::de::Visitor<'_> for Integer {
        type Value = u64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number")
        }
        fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(E::custom)
        }
    }
    d.deserialize_any(Integer)
}

/// The message of an error answer; of anything else its beginning.
pub(super) fn words(body: &str) -> String {
    serde_json::from_str::<ErrorAnswer>(body).map_or_else(
        |_| {
            let shown = super::shown(body);
            if shown.is_empty() {
                "it says nothing more".to_owned()
            } else {
                shown
            }
        },
        |answer| super::shown(&answer.error.message),
    )
}
