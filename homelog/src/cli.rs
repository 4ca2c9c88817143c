//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use schemas::{EntityKey, SourceName, api::Role};

/// Homelog: every service of a homelab on one time line.
#[derive(Parser, Debug)]
#[command(name = "homelog", version, about, propagate_version = true)]
pub struct Cli {
    /// How log lines on stderr are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run everything in one process: collect, store and serve
    Up(UpArgs),
    /// Look for mistakes in a config file and tell all of them
    Check(CheckArgs),
    /// Ask a running Homelog how it is: exit code 0 unless it is unhealthy
    Health(HealthArgs),
    /// Write past events to stdout, one JSON object a line
    Replay(ReplayArgs),
    /// Look whether everything that was observed is there
    Verify(DataArgs),
    /// Show how much room the data takes
    Disk(DataArgs),
    /// Make and change users
    #[command(subcommand)]
    User(UserCommand),
    /// Make API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Write an example config file, with every setting, to stdout
    #[command(hide = true)]
    ConfigExample,
}

/// Where the data is.
#[derive(Args, Clone, Debug, Default)]
pub struct DataArgs {
    /// Directory of the data [default: ~/.local/share/homelog]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// `homelog up`.
#[derive(Args, Debug)]
pub struct UpArgs {
    /// Config file; without one this host and its Docker Engine are observed
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Address and port of the dashboard [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// `homelog check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Config file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `homelog health`.
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Where it listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3001")]
    pub url: String,
}

/// `homelog replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// First instant: RFC 3339, `-6h`, or a Unix number
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: String,
    /// Instant after the last: RFC 3339, `now`, `-1h`, or a Unix number
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: String,
    /// Only events of this source; may be given more than once
    #[arg(long, value_name = "S")]
    pub source: Vec<SourceName>,
    /// Only events of this entity (source/type/id); may be given more than once
    #[arg(long, value_name = "KEY")]
    pub entity: Vec<EntityKey>,
    /// How fast: `max`, or a factor such as 1 for as fast as it happened
    #[arg(long, value_name = "N|max", default_value = "max")]
    pub speed: Speed,
    /// Where the events go
    #[arg(long, value_name = "TARGET")]
    pub into: Target,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
}

/// How fast events are replayed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Speed {
    /// As fast as they can be read.
    Max,
    /// That many times as fast as they happened.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            number => number
                .parse()
                .ok()
                .filter(|factor| (1e-3..=1e6).contains(factor))
                .map(Self::Times)
                .ok_or_else(|| "write `max`, or a number from 0.001 to 1000000".to_owned()),
        }
    }
}

/// Where replayed events go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// One JSON object a line.
    Stdout,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stdout" => Ok(Self::Stdout),
            "store" | "log" => Err(format!(
                "this release replays into stdout only: write `--into stdout`; docs/replay.md shows how to push what comes into another Homelog and fill its {text}"
            )),
            _ => Err("write `stdout`".to_owned()),
        }
    }
}

/// `homelog user`.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Make a user; the password is asked for
    Add(AddUserArgs),
    /// Give a user a new password, which ends the user's sessions
    ResetPassword(ResetPasswordArgs),
    /// Show all users
    List(DataArgs),
}

/// `homelog user add`.
#[derive(Args, Debug)]
pub struct AddUserArgs {
    /// Name to log in with
    pub name: String,
    /// What the user may do: viewer, operator or admin
    #[arg(long)]
    pub role: Role,
    /// Read the password from the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
}

/// `homelog user reset-password`.
#[derive(Args, Debug)]
pub struct ResetPasswordArgs {
    /// Name of the user
    pub name: String,
    /// Read the password from the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
}

/// `homelog token`.
#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a token and show it once
    Create(CreateTokenArgs),
}

/// `homelog token create`.
#[derive(Args, Debug)]
pub struct CreateTokenArgs {
    /// Whose token it is
    #[arg(long)]
    pub user: String,
    /// What it is for
    #[arg(long)]
    pub name: String,
    /// What it may do, at most what its user may: viewer, operator or admin
    #[arg(long, default_value = "viewer")]
    pub role: Role,
    /// How long it lives, such as 90d; without it for ever
    #[arg(long, value_name = "DURATION")]
    pub expires: Option<String>,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn speeds_are_read() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("10".parse(), Ok(Speed::Times(10.0)));
        for bad in ["", "0", "-1", "NaN", "fast", "inf"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad} must be refused");
        }
    }
}
