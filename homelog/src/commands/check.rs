//! `homelog check`: every mistake of a config file at once.

mod connect;

use super::user::say;
use crate::{
    cli::CheckArgs,
    config::{self, Config, ControlKind, LogKind, StoreKind},
    env::Env,
    outcome::Failure,
    roles,
};

pub(crate) async fn run(args: &CheckArgs, env: &Env) -> Result<(), Failure> {
    let loaded = config::load(Some(&args.config), env)
        .map_err(|problems| Failure::usage(problems.render(crate::style())))?;
    for warning in &loaded.warnings {
        eprintln!("homelog: warning: {warning}");
    }
    let count = loaded.config.sources.len();
    let sources = match count {
        0 => "no source, so this host and its Docker Engine are observed".to_owned(),
        1 => "1 source".to_owned(),
        _ => format!("{count} sources"),
    };
    say(&format!("{} is fine: {sources}", args.config.display()))?;
    let config = &loaded.config;
    let alone = config.log.kind == LogKind::Embedded
        && config.store.kind == StoreKind::Embedded
        && config.control.kind == ControlKind::Embedded;
    if !alone {
        places(config)?;
    }
    if args.connect {
        connect::run(config, args, env).await?;
    }
    Ok(())
}

fn places(config: &Config) -> Result<(), Failure> {
    for (what, place) in [
        ("event log", config.log_place()),
        ("store", config.store_place()),
        ("users", config.control_place()),
    ] {
        let place = if place.is_empty() {
            "in the data directory"
        } else {
            &place
        };
        say(&format!("  {what}: {place}"))?;
    }
    let fitting = roles::fitting(config).join(", ");
    say(&format!("  roles that it fits: {fitting}"))
}

pub(crate) fn example() -> Result<(), Failure> {
    say(config::example().trim_end())
}
