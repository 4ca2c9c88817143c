//! `homelog health`: asks a running Homelog, for health checks of containers and services.

use std::time::Duration;

use anyhow::Context;
use http_client::{Client, Options, Tls};
use schemas::api::{HealthAnswer, HealthState};

use super::user::say;
use crate::{cli::HealthArgs, outcome::Failure};

/// An answer of more bytes is not one of ours.
const LARGEST: usize = 1024 * 1024;

pub(crate) async fn run(args: HealthArgs) -> Result<(), Failure> {
    let url = format!("{}/health", args.url.trim_end_matches('/'));
    let tls = if args.insecure {
        Tls::Insecure
    } else {
        Tls::System
    };
    let answer = ask(&url, tls)
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

async fn ask(url: &str, tls: Tls) -> anyhow::Result<HealthAnswer> {
    let client = Client::new(Options {
        tls,
        timeout: Duration::from_secs(5),
        max_body: LARGEST,
        ..Options::default()
    })?;
    let response = client.get(url).send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    serde_json::from_slice(&body).with_context(|| {
        format!("the answer (HTTP {status}) is not homelog's: is it the right --url?")
    })
}

const fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "healthy",
        HealthState::Degraded => "degraded",
        HealthState::Unhealthy => "unhealthy",
    }
}
