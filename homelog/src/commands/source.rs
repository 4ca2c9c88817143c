//! `homelog source`: over the API of a Homelog that runs, or on the stores themselves.

mod purge;

use std::time::Duration;

use anyhow::Context;
use control::{AuditEntry, DisplayName};
use event_log::Urgency;
use http_client::{Client, Method, Options, Tls};
use prometheus_client::registry::Registry;
use schemas::{
    SourceName, Timestamp,
    api::{ErrorAnswer, RenameSource},
};
use secrecy::SecretString;
use serde_json::Value;
use time_series::Selection;

use super::user::say;
use crate::{
    adapters::{Patience, log::Opener},
    cli::{RemoveSourceArgs, RenameSourceArgs, SourceCommand, ThereArgs},
    config::{self, LogKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};

/// Who did it, for the audit trail.
const ACTOR: &str = "command line";

pub(crate) async fn run(command: SourceCommand, env: &Env) -> Result<(), Failure> {
    match command {
        SourceCommand::Rename(args) => rename(args, env).await,
        SourceCommand::Remove(args) => remove(args, env).await,
        SourceCommand::Purge(args) => purge::purge(args, env).await,
    }
}

async fn rename(args: RenameSourceArgs, env: &Env) -> Result<(), Failure> {
    let RenameSourceArgs {
        source,
        name,
        there,
    } = args;
    let name = name
        .as_deref()
        .map(DisplayName::new)
        .transpose()
        .map_err(|e| Failure::usage(format!("homelog: {e}")))?;
    if let Some(url) = &there.url {
        let body = RenameSource {
            display_name: name.as_ref().map(ToString::to_string),
        };
        let body = serde_json::to_value(body)?;
        ask(&there, url, Method::PATCH, &source, "", Some(&body)).await?;
    } else {
        let needs = Needs {
            control: true,
            ..Needs::default()
        };
        let place = Place::new(&there.place, needs, false, env)?;
        let store = place.control().await?;
        store.set_display_name(&source, name.as_ref()).await?;
        let target = match &name {
            Some(name) => format!("{source}: {name}"),
            None => source.to_string(),
        };
        store.record(entry("source.rename", target)).await?;
        place.leave().await;
    }
    match name {
        Some(name) => say(&format!("source `{source}` is shown as `{name}`")),
        None => say(&format!("source `{source}` is shown by its own name")),
    }
}

async fn remove(args: RemoveSourceArgs, env: &Env) -> Result<(), Failure> {
    let RemoveSourceArgs { source, there } = args;
    if let Some(url) = &there.url {
        ask(&there, url, Method::POST, &source, "/remove", None).await?;
    } else {
        let needs = Needs {
            log: true,
            store: true,
            control: true,
        };
        let place = Place::new(&there.place, needs, false, env)?;
        let done = remove_here(&source, &place).await;
        place.leave().await;
        done?;
    }
    say(&format!(
        "source `{source}` is in no current view any more; its history stays"
    ))
}

/// Refuses what this configuration names.
fn refuse_configured(source: &SourceName, place: &Place) -> Result<(), Failure> {
    let mut configured = place.config.sources.iter();
    if configured.any(|known| known.name == *source) {
        return Err(anyhow::anyhow!(
            "source `{source}` is in this configuration: take it out there first"
        )
        .into());
    }
    Ok(())
}

/// Appends to the log itself: of a data directory only while nobody else does.
async fn remove_here(source: &SourceName, place: &Place) -> Result<(), Failure> {
    refuse_configured(source, place)?;
    let embedded = place.config.log.kind == LogKind::Embedded;
    let data = place.data.as_deref();
    let _lock = match data.filter(|_| embedded) {
        Some(data) => Some(data_dir::lock(data).context(
            "a Homelog runs on this data: name it with --url and --token-file, or stop it first",
        )?),
        None => None,
    };
    let selection = Selection {
        sources: vec![source.clone()],
        ..Selection::default()
    };
    let state = place.store().await?.state(&selection, None).await?;
    let draft = query_api::removal(&state.entities, source, Timestamp::now(), ACTOR)
        .with_context(|| format!("there is no source `{source}`"))?;
    let opener = Opener::to_share(&place.config, data, &mut Registry::default())?;
    let log = opener.open(&place.supervisor, Patience::Once).await?.events;
    let appended = log.append(vec![draft], Urgency::Soon).await?;
    log.close().await?;
    if let Some(why) = appended.refusal() {
        return Err(anyhow::anyhow!("the event log refused it: {why}").into());
    }
    let audited = entry("source.remove", source.to_string());
    place.control().await?.record(audited).await?;
    Ok(())
}

fn entry(action: &str, target: String) -> AuditEntry {
    AuditEntry {
        time: Timestamp::now(),
        actor: ACTOR.to_owned(),
        action: action.to_owned(),
        target,
        from: String::new(),
        done: true,
    }
}

/// How long an answer may take: a purge answers within the minute that a request has.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks a Homelog that runs. Returns what it answers.
async fn ask(
    there: &ThereArgs,
    url: &str,
    method: Method,
    source: &SourceName,
    what: &str,
    body: Option<&Value>,
) -> anyhow::Result<Vec<u8>> {
    let token = there
        .token_file
        .as_deref()
        .context("--token-file is missing")?;
    let token = SecretString::from(config::read_secret(token).map_err(anyhow::Error::msg)?);
    let client = Client::new(Options {
        tls: there.fingerprint.map_or(Tls::System, Tls::Fingerprint),
        read_timeout: PATIENCE,
        timeout: PATIENCE,
        ..Options::default()
    })?;
    let url = format!(
        "{}/api/v1/sources/{source}{what}",
        url.trim_end_matches('/')
    );
    let mut request = client.request(method, &url).bearer(&token);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.bytes().await?.to_vec());
    }
    let said = answer.bytes().await.unwrap_or_default();
    let said = serde_json::from_slice::<ErrorAnswer>(&said).map_or_else(
        |_| "it is no answer of Homelog's".to_owned(),
        |e| e.error.message,
    );
    anyhow::bail!("it answers {}: {said}", status.as_u16())
}
