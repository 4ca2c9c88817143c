//! `homelog dead-letters`: what could not become points. A retry goes straight to the store, never into the log again.

use event_log::{DeadLetter, EventLog, LetterId};
use ingest::{Retried, Retry, Target, retry};
use prometheus_client::registry::Registry;
use schemas::Catalog;

use super::user::say;
use crate::{
    adapters::{Patience, log, store},
    cli::{DeadLettersCommand, ListLettersArgs, PlaceArgs, RetryLettersArgs, ShowLetterArgs},
    config::{LogKind, StoreKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};

/// Letters of one read.
const PAGE: usize = 500;

pub(crate) async fn run(command: DeadLettersCommand, env: &Env) -> Result<(), Failure> {
    match command {
        DeadLettersCommand::List(args) => list(&args, env).await,
        DeadLettersCommand::Show(args) => show(&args, env).await,
        DeadLettersCommand::Retry(args) => again(&args, env).await,
    }
}

fn place(args: &PlaceArgs, store: bool, env: &Env) -> Result<Place, Failure> {
    let needs = Needs {
        log: true,
        store,
        control: false,
    };
    Place::new(args, needs, false, env)
}

/// `partition-offset`, or `partition-offset-field` where it is one field of an event.
fn written(id: &LetterId) -> String {
    match &id.field {
        Some(field) => format!("{}-{}-{field}", id.partition, id.offset),
        None => format!("{}-{}", id.partition, id.offset),
    }
}

fn read_id(text: &str) -> Result<LetterId, Failure> {
    let mut parts = text.splitn(3, '-');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let id = number()
        .zip(number())
        .and_then(|(partition, offset)| Some((usize::try_from(partition).ok()?, offset)));
    match id {
        Some((partition, offset)) => Ok(LetterId {
            partition,
            offset,
            field: parts.next().map(str::to_owned),
        }),
        None => Err(Failure::usage(format!(
            "homelog: `{}` is not the id of a dead letter: `homelog dead-letters list` shows them, such as 0-1234",
            schemas::name::excerpt(text)
        ))),
    }
}

/// Calls with each letter until it says that it has enough.
async fn each(log: &dyn EventLog, mut with: impl FnMut(DeadLetter) -> bool) -> anyhow::Result<()> {
    let mut skip = 0;
    loop {
        let page = log.dead_letters(skip, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        skip += page.len() as u64;
        for letter in page {
            if !with(letter) {
                return Ok(());
            }
        }
    }
}

async fn list(args: &ListLettersArgs, env: &Env) -> Result<(), Failure> {
    let place = place(&args.place, false, env)?;
    let log = place.log().await?;
    let mut lines = Vec::new();
    let mut matching = 0;
    each(&*log, |letter| {
        if args.reason.as_ref().is_none_or(|r| *r == letter.reason) {
            matching += 1;
            if lines.len() < args.limit {
                lines.push(letter);
            }
        }
        true
    })
    .await?;
    place.leave().await;
    if matching == 0 {
        return say("there are no dead letters");
    }
    let ids: Vec<String> = lines.iter().map(|letter| written(&letter.id())).collect();
    let width = ids.iter().map(String::len).max().unwrap_or(0).max(2);
    let reasons = lines.iter().map(|letter| letter.reason.len()).max();
    let reason_width = reasons.unwrap_or(0).max(6);
    say(&format!(
        "{:width$}  {:24}  {:reason_width$}  WHAT",
        "ID", "TIME", "REASON"
    ))?;
    for (id, letter) in ids.iter().zip(&lines) {
        say(&format!(
            "{id:width$}  {:24}  {:reason_width$}  {}",
            letter.time.to_string(),
            letter.reason,
            one_line(&letter.message)
        ))?;
    }
    let more = matching - lines.len();
    if more > 0 {
        say(&format!("and {more} more: --limit shows more of them"))?;
    }
    Ok(())
}

/// What a server or an event said must not move the cursor.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

async fn show(args: &ShowLetterArgs, env: &Env) -> Result<(), Failure> {
    let id = read_id(&args.id)?;
    let place = place(&args.place, false, env)?;
    let log = place.log().await?;
    let found = find(&*log, &id).await?;
    place.leave().await;
    let letter = found.ok_or_else(|| no_such(&args.id))?;
    say(&format!("id        {}", written(&id)))?;
    say(&format!("time      {}", letter.time))?;
    say(&format!("reason    {}", letter.reason))?;
    say(&format!("what      {}", one_line(&letter.message)))?;
    say(&format!(
        "original  {}",
        one_line(&String::from_utf8_lossy(&letter.bytes))
    ))
}

fn no_such(id: &str) -> Failure {
    anyhow::anyhow!("there is no dead letter {id}: `homelog dead-letters list` shows them").into()
}

async fn find(log: &dyn EventLog, id: &LetterId) -> anyhow::Result<Option<DeadLetter>> {
    let mut found = None;
    each(log, |letter| {
        if letter.id() == *id {
            found = Some(letter);
        }
        found.is_none()
    })
    .await?;
    Ok(found)
}

async fn again(args: &RetryLettersArgs, env: &Env) -> Result<(), Failure> {
    let ids = args
        .ids
        .iter()
        .map(|id| read_id(id))
        .collect::<Result<Vec<_>, _>>()?;
    let place = place(&args.place, true, env)?;
    let config = &place.config;
    // an embedded store or log has one writer
    let embedded = config.log.kind == LogKind::Embedded || config.store.kind == StoreKind::Embedded;
    let _lock = match &place.data {
        Some(data) if embedded => Some(data_dir::lock(data)?),
        _ => None,
    };
    let mut registry = Registry::default();
    let data = place.data.as_deref();
    let log = log::Opener::to_share(config, data, &mut registry)?;
    let store = store::Opener::new(config, data, &mut registry)?;
    let (log, store) = tokio::try_join!(
        log.open(&place.supervisor, Patience::Once),
        store.open(&place.supervisor, Patience::Once),
    )?;
    let mut letters = Vec::new();
    let mut missing: Vec<&LetterId> = ids.iter().collect();
    each(&*log.events, |letter| {
        let id = letter.id();
        let named = missing.iter().position(|wanted| **wanted == id);
        if let Some(at) = named {
            missing.swap_remove(at);
        }
        let wanted = args.all || args.reason.as_ref() == Some(&letter.reason);
        if named.is_some() || wanted {
            letters.push(letter);
        }
        true
    })
    .await?;
    if let Some(id) = missing.first() {
        return Err(no_such(&written(id)));
    }
    let catalog = Catalog::new(collector::catalog());
    let outcome = retry(
        &letters,
        &Retry {
            log: &*log.events,
            store: match &store.shared {
                Some(shared) => Target::Shared(&**shared),
                None => Target::Alone(&*store.series),
            },
            catalog: &catalog,
            limits: store.limits(config),
        },
    )
    .await;
    let closed = (store.series.close().await, log.events.close().await);
    place.leave().await;
    let outcome = outcome?;
    closed.0?;
    closed.1?;
    let mut stored = 0;
    for (letter, outcome) in letters.iter().zip(&outcome) {
        match outcome {
            Retried::Stored => stored += 1,
            Retried::Still { reason, message } => {
                eprintln!(
                    "homelog: {}: {reason}: {}",
                    written(&letter.id()),
                    one_line(message)
                );
            }
        }
    }
    say(&format!(
        "{stored} of {} dead letters are in the store now",
        letters.len()
    ))?;
    if stored == letters.len() {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for text in ["0-1", "12-34567-temperature_celsius", "0-1-a-b"] {
            let id = read_id(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(written(&id), text);
        }
        for bad in ["", "1", "-1", "a-b", "1-"] {
            assert!(read_id(bad).is_err(), "{bad}");
        }
    }
}
