//! Log lines on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{
    cli::LogFormat,
    env::{Env, LOG},
    outcome::Failure,
};

/// What is told unless `HOMELOG_LOG` says otherwise.
const DEFAULT: &str = "info";

/// Starts telling. A second start in one process changes nothing.
pub(crate) fn start(format: LogFormat, env: &Env) -> Result<(), Failure> {
    let wanted = env
        .text(LOG)
        .map_err(|e| Failure::usage(format!("homelog: {e}")))?
        .unwrap_or(DEFAULT);
    let filter = EnvFilter::builder().parse(wanted).map_err(|e| {
        Failure::usage(format!(
            "homelog: {LOG}=`{}` is not a filter ({e}): write a level (error, warn, info, debug, trace), or `info,collector=debug`",
            schemas::name::excerpt(wanted)
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    // only tests start twice
    drop(started);
    Ok(())
}
