//! `homelog replay`: past events once more, to stdout or into an empty store or log, also while Homelog runs.

pub(super) mod copying;
mod into_log;
mod into_store;
mod pace;
mod paced;
mod state;
mod stdout;
mod target;

use std::time::Duration;

use event_log::{Filter, ReadQuery};
use schemas::{Position, Timestamp, limits};

use super::user::say;
use crate::{
    cli::{Into, ReplayArgs},
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};
use paced::Paced;
use state::State;
use target::Target;

/// Records of one read.
const BATCH: usize = 1_000;
/// How long what runs in the background for a target may take to end.
const GRACE: Duration = Duration::from_secs(3);

pub(crate) async fn run(args: ReplayArgs, env: &Env) -> Result<(), Failure> {
    let now = Timestamp::now();
    let instant = |flag: &str, text: &str| {
        Timestamp::parse(text, now).map_err(|e| Failure::usage(format!("homelog: {flag}: {e}")))
    };
    let (from, to) = (instant("--from", &args.from)?, instant("--to", &args.to)?);
    if from >= to {
        return Err(Failure::usage(format!(
            "homelog: --from {from} is not before --to {to}"
        )));
    }
    if args.into == Into::Stdout && args.target.is_some() {
        return Err(Failure::usage(
            "homelog: --target is for --into store or --into log: stdout needs none",
        ));
    }
    let needs = Needs {
        log: true,
        ..Needs::default()
    };
    let place = Place::new(&args.place, needs, false, env)?;
    // what is wrong with the target is told before anything is read
    let target = match &args.target {
        Some(path) => Some(Target::new(path, args.into, &place, env)?),
        None => None,
    };
    let replay = Replay {
        filter: Filter {
            sources: args.source,
            entities: args.entity,
            from: Some(from),
            to: Some(to),
            ..Filter::default()
        },
        log: Paced::new(place.log().await?, args.speed),
        from,
    };
    let outcome = match (args.into, target) {
        (Into::Store | Into::Log, Some(target)) => fill(&replay, args.into, &target).await,
        _ => stdout::run(&replay).await,
    };
    place.leave().await;
    outcome
}

/// Goes on where an earlier replay of the same events stopped.
async fn fill(replay: &Replay, into: Into, target: &Target) -> Result<(), Failure> {
    let state = State::left(&target.state, &replay.filter)?;
    if let Some(state) = &state
        && state.complete
    {
        return say(&format!(
            "{} events are in {} already: this replay came to its end before",
            state.events, target.name
        ));
    }
    let outcome = match into {
        Into::Log => into_log::run(replay, target, state).await,
        Into::Store | Into::Stdout => into_store::run(replay, target, state).await,
    };
    target.supervisor.drain(GRACE).await;
    outcome
}

/// What is replayed.
struct Replay {
    filter: Filter,
    log: Paced,
    from: Timestamp,
}

impl Replay {
    /// Where the first event may be that is wanted.
    async fn start(&self) -> anyhow::Result<Position> {
        use event_log::EventLog;
        // a clock that is ahead puts an event's time after the time at which it was logged
        let since = self.from.plus_millis(-limits::FUTURE_SKEW_MS);
        Ok(self.log.seek(since).await?)
    }

    fn query(&self) -> ReadQuery {
        ReadQuery {
            filter: self.filter.clone(),
            limit: BATCH,
        }
    }
}
