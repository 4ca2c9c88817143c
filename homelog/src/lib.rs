//! The one binary: reads command line and configuration, and wires the rooms together.

mod adapters;
pub mod cli;
mod commands;
pub mod config;
mod data_dir;
pub mod env;
mod outcome;
mod place;
mod roles;
mod telling;

use std::{
    ffi::OsString,
    future::Future,
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;

use cli::{Cli, Command};
use config::Style;
use env::Env;
use outcome::Failure;

/// Runs a command to its end: 0 done, 1 failed, 64 wrong use or config.
pub fn run(args: impl IntoIterator<Item = OsString>, env: &Env) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // help that cannot be printed is no other failure
            drop(e.print());
            return if e.use_stderr() {
                ExitCode::from(64)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match dispatch(cli, env) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = match &failure {
                Failure::Usage(text) => text.trim_end().to_owned(),
                Failure::Failed(e) => format!("homelog: {e:#}"),
                Failure::Told => String::new(),
            };
            if !text.is_empty() {
                drop(writeln!(std::io::stderr(), "{text}"));
            }
            failure.exit_code()
        }
    }
}

fn dispatch(cli: Cli, env: &Env) -> Result<(), Failure> {
    telling::start(cli.log, env)?;
    match cli.command {
        Command::Up(args) => roles::up::run(&args, env),
        Command::Collect(args) => roles::collect::run(&args, env),
        Command::Ingest(args) => roles::ingest::run(&args, env),
        Command::Api(args) => roles::api::run(&args, env),
        Command::Topics(args) => alone(commands::topics::run(&args, env)),
        Command::Migrate(args) => alone(commands::migrate::run(&args, env)),
        Command::Check(args) => alone(commands::check::run(&args, env)),
        Command::Discover(args) => alone(commands::discover::run(&args)),
        Command::ConfigExample => commands::check::example(),
        Command::Health(args) => alone(commands::health::run(args)),
        Command::Replay(args) => alone(commands::replay::run(args, env)),
        Command::DeadLetters(command) => alone(commands::dead_letters::run(command, env)),
        Command::Verify(args) => alone(commands::verify::run(&args, env)),
        Command::Simulate(args) => match args.past.backfill {
            Some(length) => alone(commands::backfill::run(&args, length)),
            None => roles::simulate::run(&args),
        },
        Command::Disk(args) => commands::disk::run(&args, env),
        Command::User(command) => alone(commands::user::run(command, env)),
        Command::Source(command) => alone(commands::source::run(command, env)),
        Command::Token(command) => alone(commands::token::run(command, env)),
    }
}

/// Runs a short command on this thread.
fn alone(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let outcome = runtime.block_on(command);
    // what the command waited for is done; a server that is asked still must not hold it up
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// How reports are drawn on stderr.
fn style() -> Style {
    if std::io::stderr().is_terminal() {
        Style::Fancy
    } else {
        Style::Plain
    }
}
