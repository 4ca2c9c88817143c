//! `homelog health`: asks a running Homelog, for health checks of containers and services.

use std::time::Duration;

use anyhow::Context;
use schemas::api::{HealthAnswer, HealthState};

use super::user::say;
use crate::{cli::HealthArgs, outcome::Failure};

/// An answer of more bytes is not one of ours.
const LARGEST: usize = 1024 * 1024;

pub(crate) async fn run(args: HealthArgs) -> Result<(), Failure> {
    let url = format!("{}/health", args.url.trim_end_matches('/'));
    let answer = ask(&url)
        .await
        .with_context(|| format!("{url} gives no answer"))?;
    say(word(answer.status))?;
    for (name, service) in &answer.services {
        let reason = service
            .reason
            .as_deref()
            .map_or_else(String::new, |r| format!(": {r}"));
        say(&format!("  {name}: {}{reason}", word(service.status)))?;
    }
    if answer.status == HealthState::Unhealthy {
        return Err(Failure::Told);
    }
    Ok(())
}

async fn ask(url: &str) -> anyhow::Result<HealthAnswer> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let mut response = client.get(url).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(
            body.len() <= LARGEST,
            "the answer is too large to be homelog's"
        );
    }
    serde_json::from_slice(&body).with_context(|| {
        format!(
            "the answer (HTTP {}) is not homelog's: is it the right --url?",
            response.status().as_u16()
        )
    })
}

const fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "healthy",
        HealthState::Degraded => "degraded",
        HealthState::Unhealthy => "unhealthy",
    }
}
