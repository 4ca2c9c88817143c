//! `homelog check`: every mistake of a config file at once.

use super::user::say;
use crate::{cli::CheckArgs, config, env::Env, outcome::Failure};

pub(crate) fn run(args: &CheckArgs, env: &Env) -> Result<(), Failure> {
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
    say(&format!("{} is fine: {sources}", args.config.display()))
}

pub(crate) fn example() -> Result<(), Failure> {
    say(config::example().trim_end())
}
