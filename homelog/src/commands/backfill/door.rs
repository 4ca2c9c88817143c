//! Where events are pushed, and what its refusals mean.

use std::{io::Read, path::Path, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use http_client::{Client, Options};
use schemas::api::{ErrorAnswer, PushAnswer, Rejection};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::sleep;

use super::batches::Batch;

/// A token has far fewer bytes.
const LONGEST_TOKEN: u64 = 4096;
/// How often a push is tried while the other side is busy.
const TRIES: u32 = 6;
/// Most seconds that it is waited then.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The door for pushed events of one Homelog.
pub(super) struct Door {
    client: Client,
    base: String,
    url: String,
    token: SecretString,
    token_file: String,
}

/// Every event of a push was refused.
#[derive(Deserialize)]
struct Refused {
    rejected: Vec<Rejection>,
}

impl Door {
    /// The one of an address, with the token in a file.
    ///
    /// # Errors
    /// The file cannot be read or has no token in it.
    pub(super) fn open(base: &str, token_file: &Path) -> anyhow::Result<Self> {
        let shown = token_file.display().to_string();
        let mut token = String::new();
        std::fs::File::open(token_file)
            .and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut token))
            .with_context(|| format!("the token in {shown} cannot be read"))?;
        ensure!(
            !token.trim().is_empty(),
            "{shown} is empty: write a token into it, as `homelog token create` prints it"
        );
        let base = base.trim_end_matches('/');
        Ok(Self {
            client: Client::new(Options {
                read_timeout: Duration::from_mins(1),
                timeout: Duration::from_mins(1),
                ..Options::default()
            })?,
            base: base.to_owned(),
            url: format!("{base}/api/v1/events"),
            token: SecretString::from(token.trim().to_owned()),
            token_file: shown,
        })
    }

    /// Pushes a batch; one that is pushed twice is there once.
    ///
    /// # Errors
    /// It is refused, also in part, or nobody answers.
    pub(super) async fn push(&self, batch: &Batch) -> anyhow::Result<PushAnswer> {
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self
                .client
                .post(&self.url)
                .bearer(&self.token)
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", "gzip")
                .body(batch.body.clone());
            let answer = request.send().await.context(
                "nothing more is poured: is Homelog running, and is --into its address?",
            )?;
            let status = answer.status().as_u16();
            if matches!(status, 429 | 503) && tries < TRIES {
                let wait = answer.retry_after().unwrap_or(Duration::from_secs(1));
                sleep(wait.min(LONGEST_WAIT)).await;
                continue;
            }
            let body = answer.bytes().await?;
            return self.understand(status, &body);
        }
    }

    fn understand(&self, status: u16, body: &[u8]) -> anyhow::Result<PushAnswer> {
        match status {
            200 => {
                let answer: PushAnswer = serde_json::from_slice(body)
                    .map_err(|_| anyhow!("{} is no Homelog: check --into", self.base))?;
                match answer.rejected.first() {
                    None => Ok(answer),
                    Some(first) => Err(self.rejected(answer.rejected.len(), first)),
                }
            }
            401 => bail!(
                "the Homelog at {} does not know the token in {}: make one there with `homelog token create --role operator`",
                self.base,
                self.token_file
            ),
            403 => bail!(
                "the token in {} may not push into the Homelog at {}: make one with the role operator",
                self.token_file,
                self.base
            ),
            422 => match serde_json::from_slice::<Refused>(body) {
                Ok(Refused { rejected }) if !rejected.is_empty() => match rejected.first() {
                    Some(first) => Err(self.rejected(rejected.len(), first)),
                    None => bail!("the Homelog at {} refuses the events", self.base),
                },
                _ => bail!("the Homelog at {} refuses the events", self.base),
            },
            _ => match serde_json::from_slice::<ErrorAnswer>(body) {
                Ok(told) => bail!(
                    "the Homelog at {} takes no events now (HTTP {status}): {}",
                    self.base,
                    told.error.message
                ),
                Err(_) => bail!(
                    "{} answers with HTTP {status}, which no Homelog does: check --into",
                    self.base
                ),
            },
        }
    }

    fn rejected(&self, count: usize, first: &Rejection) -> anyhow::Error {
        let todo = if first.code == "source_claimed" {
            ": pour the past first, then add the sources to its config, or rename them there"
        } else {
            ""
        };
        anyhow!(
            "the Homelog at {} refuses {count} events of a batch, the first since {}{todo}",
            self.base,
            first.message
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn door() -> Door {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hlt_secret\n").unwrap();
        Door::open("http://127.0.0.1:9/", file.path()).unwrap()
    }

    fn refusal(status: u16, body: &serde_json::Value) -> String {
        let answer = door().understand(status, body.to_string().as_bytes());
        answer.unwrap_err().to_string()
    }

    #[test]
    fn refusals_say_what_to_do() {
        let error =
            |code: &str| json!({"error": {"code": code, "message": "so it is", "request_id": "1"}});
        assert!(refusal(401, &error("unauthorized")).contains("homelog token create"));
        assert!(refusal(403, &error("forbidden")).contains("role operator"));
        assert!(refusal(507, &error("disk_full")).contains("so it is"));
        assert!(refusal(404, &json!("Not found")).contains("check --into"));
        assert!(refusal(200, &json!({"ok": true})).contains("check --into"));
    }

    #[test]
    fn a_part_that_is_refused_fails_all() {
        let rejected = json!([{"index": 0, "code": "source_claimed", "message": "source `nas1` is collected here"}]);
        let all = refusal(422, &json!({"error": {}, "rejected": rejected}));
        let part = json!({"accepted": 5, "duplicates": 0, "rejected": rejected, "position": "1"});
        for told in [all, refusal(200, &part)] {
            assert!(told.contains("`nas1`") && told.contains("first"), "{told}");
        }
    }

    #[test]
    fn a_file_without_a_token_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let told = Door::open("http://127.0.0.1:9", file.path()).err().unwrap();
        assert!(told.to_string().contains("is empty"), "{told}");
        let told = Door::open("http://127.0.0.1:9", Path::new("/nowhere")).err();
        assert!(told.unwrap().to_string().contains("/nowhere"));
    }
}
