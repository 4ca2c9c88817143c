//! `homelog source purge`.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use event_log::{EventLog, Purged as PurgedLog, Urgency};
use http_client::Method;
use prometheus_client::registry::Registry;
use query_api::purge;
use schemas::{
    SourceName, Timestamp,
    api::{PurgedSource, SourceScope},
};
use time_series::{Purged, Selection, TimeSeries};

use super::{ACTOR, ask, entry, refuse_configured};
use crate::{
    adapters::{self, Patience},
    cli::{PurgeSourceArgs, ThereArgs},
    commands::user::say,
    config::{LogKind, StoreKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};

pub(super) async fn purge(args: PurgeSourceArgs, env: &Env) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "homelog: nobody can be asked whether everything of `{}` is to go: say so with --yes",
            args.source
        )));
    }
    let purged = if let Some(url) = &args.there.url {
        over(&args, &args.there, url).await?
    } else {
        let needs = Needs {
            log: true,
            store: true,
            control: true,
        };
        let place = Place::new(&args.there.place, needs, false, env)?;
        let purged = here(&args, &place).await;
        place.leave().await;
        purged?
    };
    tell(&purged)?;
    if purged.done {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

/// Asks a Homelog that runs.
async fn over(
    args: &PurgeSourceArgs,
    there: &ThereArgs,
    url: &str,
) -> Result<PurgedSource, Failure> {
    let source = &args.source;
    let scope = ask(there, url, Method::GET, source, "/purge", None).await?;
    confirm(args, &serde_json::from_slice(&scope)?)?;
    let purged = ask(there, url, Method::POST, source, "/purge", None).await?;
    Ok(serde_json::from_slice(&purged)?)
}

/// Works on the stores themselves: on those of a data directory only while nobody else does.
async fn here(args: &PurgeSourceArgs, place: &Place) -> Result<PurgedSource, Failure> {
    refuse_configured(&args.source, place)?;
    let config = &place.config;
    let data = place.data.as_deref();
    let embedded = config.log.kind == LogKind::Embedded || config.store.kind == StoreKind::Embedded;
    let _lock = match data.filter(|_| embedded) {
        Some(data) => Some(data_dir::lock(data).context(
            "a Homelog runs on this data: name it with --url and --token-file, or stop it first",
        )?),
        None => None,
    };
    let mut unseen = Registry::default();
    let log = adapters::log::Opener::to_share(config, data, &mut unseen)?;
    let log = log.open(&place.supervisor, Patience::Once).await?.events;
    let store = adapters::store::Opener::new(config, data, &mut unseen)?;
    let store = store.open(&place.supervisor, Patience::Once).await?.series;
    let purged = steps(args, place, &*log, &*store).await;
    log.close().await?;
    store.close().await?;
    purged
}

async fn steps(
    args: &PurgeSourceArgs,
    place: &Place,
    log: &dyn EventLog,
    store: &dyn TimeSeries,
) -> Result<PurgedSource, Failure> {
    let source = &args.source;
    let keep = Some(place.config.retention.events.0);
    let selection = Selection {
        sources: vec![source.clone()],
        ..Selection::default()
    };
    let entities = store.state(&selection, None).await?.entities;
    let events = purge::logged(log, source).await?;
    if entities.is_empty() && events.is_none() {
        return Err(anyhow::anyhow!("there is no source `{source}`").into());
    }
    if !store.capabilities().purges {
        return Err(anyhow::anyhow!(
            "the time-series store cannot drop one source: InfluxDB 2.x and the embedded store can"
        )
        .into());
    }
    let scope = SourceScope {
        name: source.to_string(),
        entities: entities.len() as u64,
        points: store.points_of(source).await?,
        events: events.unwrap_or(0),
        notes: purge::notes(log, keep, Timestamp::now()),
    };
    confirm(args, &scope)?;
    let mark = purge::mark(&entities, source, Timestamp::now(), ACTOR)?;
    let appended = log.append(vec![mark], Urgency::Soon).await?;
    if let Some(why) = appended.refusal() {
        return Err(anyhow::anyhow!("the event log refused it: {why}").into());
    }
    let control = place.control().await?;
    control
        .record(entry("source.purge", source.to_string()))
        .await?;
    let events = match purge::purge_log(log, source, &appended.position).await? {
        PurgedLog::Events(events) => Some(events),
        PurgedLog::ByRetention => None,
    };
    // ingest comes to the mark later and finds nothing left
    let points = match store.purge(source).await? {
        Purged::Points(points) => points,
        Purged::Unable(why) => return Err(anyhow::anyhow!("the store keeps it: {why}").into()),
    };
    let dead_letters = purge::purge_letters(log, source).await?;
    control.set_display_name(source, None).await?;
    Ok(PurgedSource {
        name: source.to_string(),
        done: true,
        events,
        points: Some(points),
        dead_letters,
        notes: purge::notes(log, keep, Timestamp::now()),
    })
}

/// Says what is to go, and asks whether it is.
fn confirm(args: &PurgeSourceArgs, scope: &SourceScope) -> Result<(), Failure> {
    let name = &args.source;
    say(&format!(
        "source `{name}`: {} entities with {} points; {} events were ever logged of it",
        scope.entities, scope.points, scope.events
    ))?;
    for note in &scope.notes {
        say(&format!("note: {note}"))?;
    }
    if args.yes || is_typed(name)? {
        return Ok(());
    }
    Err(anyhow::anyhow!("nothing was purged").into())
}

fn is_typed(name: &SourceName) -> std::io::Result<bool> {
    let mut out = std::io::stderr().lock();
    write!(
        out,
        "All of it goes for good. Type the name of the source to go on: "
    )?;
    out.flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    Ok(typed.trim() == name.as_str())
}

fn tell(purged: &PurgedSource) -> Result<(), Failure> {
    let name = &purged.name;
    let count = |count: Option<u64>| count.map_or_else(|| "no".to_owned(), |n| n.to_string());
    if purged.done || purged.events.is_some() || purged.points.is_some() {
        say(&format!(
            "source `{name}`: {} events, {} points and {} dead letters are gone",
            count(purged.events),
            count(purged.points),
            purged.dead_letters
        ))?;
    }
    for note in &purged.notes {
        say(&format!("note: {note}"))?;
    }
    if !purged.done {
        eprintln!(
            "homelog: the purge of `{name}` is not done yet, it goes on there: run this again to hear of its end"
        );
    }
    Ok(())
}
