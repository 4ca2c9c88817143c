//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use http_client::Fingerprint;
use schemas::{EntityKey, SourceName, api::Role, name::AgentName, time::parse_duration};
use secrecy::SecretString;
use simulators::FaultRate;

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
    /// Run an agent: collect, and send the events to Kafka or to a hub
    Collect(CollectArgs),
    /// Run workers that take events from Kafka into InfluxDB
    Ingest(RoleArgs),
    /// Serve the dashboard and the HTTP API from Kafka, InfluxDB and PostgreSQL
    Api(ApiArgs),
    /// Make the topics that Kafka lacks, and show where those that are there differ from the configuration
    Topics(TopicsArgs),
    /// Look for mistakes in a config file and tell all of them; try its sources with --connect
    Check(CheckArgs),
    /// Ask named hosts which services they have, without logging in, and print a config for them
    Discover(DiscoverArgs),
    /// Ask a running Homelog how it is: exit code 0 unless it is unhealthy
    Health(HealthArgs),
    /// Read past events again: to stdout, or into an empty store or log
    Replay(ReplayArgs),
    /// Show and retry what could not become points
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Move everything from a data directory to Kafka, InfluxDB and PostgreSQL
    Migrate(MigrateArgs),
    /// Look whether everything that was observed is there
    Verify(PlaceArgs),
    /// Show how much room the data takes
    Disk(DataArgs),
    /// Run mock services of a simulated home, and print a config file for them
    Simulate(SimulateArgs),
    /// Make and change users
    #[command(subcommand)]
    User(UserCommand),
    /// Make API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show sources by other names, and take those out of view, or drop all of them, that are no longer configured
    #[command(subcommand)]
    Source(SourceCommand),
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

/// Which stores are meant: those of a config file, or of a data directory.
#[derive(Args, Clone, Debug, Default)]
pub struct PlaceArgs {
    /// Config file that names the stores; without one they are in the data directory
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
}

/// A role of its own.
#[derive(Args, Debug)]
pub struct RoleArgs {
    /// Config file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `homelog collect`.
#[derive(Args, Debug)]
pub struct CollectArgs {
    /// Config file; without one this host and its Docker Engine are observed, for the hub of --hub
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Enrol this agent with a hub, by what `homelog token create --agent NAME` prints there; later starts remember it. With
    /// `-` it is the first line of stdin, so that no list of processes shows the token
    #[arg(long, value_name = "URL#token=…")]
    pub hub: Option<SecretString>,
    /// Where the spool is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Take sources over from an agent that is gone for good, such as a machine that was replaced
    #[arg(long)]
    pub take_over: bool,
}

/// `homelog api`.
#[derive(Args, Debug)]
pub struct ApiArgs {
    /// What each role has.
    #[command(flatten)]
    pub role: RoleArgs,
    /// Address and port of the dashboard [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// `homelog topics`.
#[derive(Args, Debug)]
pub struct TopicsArgs {
    /// What each role has.
    #[command(flatten)]
    pub role: RoleArgs,
    /// Only show: make nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `homelog dead-letters`.
#[derive(Subcommand, Debug)]
pub enum DeadLettersCommand {
    /// Show which there are, one a line
    List(ListLettersArgs),
    /// Show one with its original
    Show(ShowLetterArgs),
    /// Try to store them again, for example after a new release; what is stored is no dead letter any more
    Retry(RetryLettersArgs),
}

/// `homelog dead-letters list`.
#[derive(Args, Debug)]
pub struct ListLettersArgs {
    /// Only those with this reason, such as `type_conflict`
    #[arg(long)]
    pub reason: Option<String>,
    /// Most lines
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// Which stores.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog dead-letters show`.
#[derive(Args, Debug)]
pub struct ShowLetterArgs {
    /// Its id, as the list shows it
    pub id: String,
    /// Which stores.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog dead-letters retry`.
#[derive(Args, Debug)]
pub struct RetryLettersArgs {
    /// Ids as the list shows them
    #[arg(required_unless_present_any = ["all", "reason"])]
    pub ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// All with this reason
    #[arg(long, conflicts_with = "ids")]
    pub reason: Option<String>,
    /// Which stores.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog migrate`.
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// What is moved to: kafka+influxdb+postgres, or some of them
    #[arg(long, value_name = "KINDS")]
    pub to: Destinations,
    /// Config file that names the servers
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only compare what is there already
    #[arg(long)]
    pub verify_only: bool,
    /// Where the data is that is moved.
    #[command(flatten)]
    pub data: DataArgs,
}

/// What a migration moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Destinations {
    /// The event log to Kafka.
    pub kafka: bool,
    /// The time-series store to InfluxDB.
    pub influxdb: bool,
    /// The control store to PostgreSQL.
    pub postgres: bool,
}

impl std::str::FromStr for Destinations {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut to = Self::default();
        for part in text.split('+') {
            let place = match part {
                "kafka" => &mut to.kafka,
                "influxdb" => &mut to.influxdb,
                "postgres" => &mut to.postgres,
                _ => return Err("write `kafka+influxdb+postgres`, or some of them".to_owned()),
            };
            if std::mem::replace(place, true) {
                return Err(format!("`{part}` is there twice"));
            }
        }
        Ok(to)
    }
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
    /// Also poll every source once, and show certificates that are not known yet; exit code 1 if one fails
    #[arg(long)]
    pub connect: bool,
    /// Only poll this source
    #[arg(long, value_name = "NAME", requires = "connect")]
    pub source: Option<SourceName>,
    /// One-time code of the user's second factor, for services that then know this machine; prints what to set so that none is
    /// wanted again
    #[arg(long, value_name = "CODE", requires = "source", value_parser = one_time_code)]
    pub code: Option<String>,
}

fn one_time_code(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    if (4..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err("a code is a number such as 123456".to_owned())
    }
}

/// `homelog simulate`.
#[derive(Args, Debug)]
pub struct SimulateArgs {
    /// Address that the services listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port of the first service, which the others follow; 0 for any that are free
    #[arg(long, value_name = "PORT", default_value_t = 4000)]
    pub base_port: u16,
    /// Which home: the same seed is the same home at the same time
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What goes wrong, and the share of requests that it hits, such as `slow=0.05`; may be given more than once. Kinds: `slow`,
    /// `server_error`, `timeout`, `half_answer`, `garbage`, `expired_session`, `wrong_certificate`, `rate_limit`,
    /// `blocked_account`
    #[arg(long, value_name = "KIND=RATE")]
    pub fault: Vec<FaultRate>,
    /// Print the services and the config file as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// A past to pour, instead of services.
    #[command(flatten)]
    pub past: PastArgs,
}

/// The past of the simulated home, for a Homelog that has none of its sources yet.
#[derive(Args, Debug)]
pub struct PastArgs {
    /// Start no services: pour so much of the home's past, such as 48h, into the Homelog of --into, and end
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "into", requires = "token_file")]
    pub backfill: Option<i64>,
    /// The Homelog that the past is poured into
    #[arg(long, value_name = "URL", requires = "backfill")]
    pub into: Option<String>,
    /// File with a token of it whose role is operator
    #[arg(long, value_name = "FILE", requires = "backfill")]
    pub token_file: Option<PathBuf>,
    /// End of the past: RFC 3339, `-1h`, or a Unix number
    #[arg(
        long,
        value_name = "T",
        default_value = "now",
        allow_hyphen_values = true,
        requires = "backfill"
    )]
    pub until: String,
}

/// `homelog discover`.
#[derive(Args, Debug)]
pub struct DiscoverArgs {
    /// Names or addresses of hosts; never a network or a range
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<String>,
}

/// `homelog health`.
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Where it listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3001")]
    pub url: String,
    /// Believe any certificate: for a check on the same machine
    #[arg(long)]
    pub insecure: bool,
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
    #[arg(long, value_name = "stdout|store|log")]
    pub into: Into,
    /// The empty store or log to fill: a config file that names it, or a data directory
    #[arg(long, value_name = "PATH", required_if_eq_any = [("into", "store"), ("into", "log")])]
    pub target: Option<PathBuf>,
    /// Which log is read.
    #[command(flatten)]
    pub place: PlaceArgs,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Into {
    /// One JSON object a line.
    Stdout,
    /// An empty time-series store.
    Store,
    /// An empty event log.
    Log,
}

/// `homelog user`.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Make a user; the password is asked for
    Add(AddUserArgs),
    /// Give a user a new password, which ends the user's sessions
    ResetPassword(ResetPasswordArgs),
    /// Show all users
    List(PlaceArgs),
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
    /// Which control store.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog user reset-password`.
#[derive(Args, Debug)]
pub struct ResetPasswordArgs {
    /// Name of the user
    pub name: String,
    /// Read the password from the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Which control store.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog source`.
#[derive(Subcommand, Debug)]
pub enum SourceCommand {
    /// Show a source by another name; its own stays the key of its history
    Rename(RenameSourceArgs),
    /// Take a source that is no longer configured out of all current views; its history stays
    Remove(RemoveSourceArgs),
    /// Drop everything of a source that is no longer configured, for good: events, points, dead letters, display name
    Purge(PurgeSourceArgs),
}

/// Which Homelog is meant: one that runs, or the stores themselves.
#[derive(Args, Debug)]
pub struct ThereArgs {
    /// Ask a Homelog that runs at this address
    #[arg(long, value_name = "URL", requires = "token_file", conflicts_with_all = ["config", "data"])]
    pub url: Option<String>,
    /// File with an API token of an operator or an admin there; only an admin's purges
    #[arg(long, value_name = "FILE", requires = "url")]
    pub token_file: Option<PathBuf>,
    /// Believe the certificate there by its SHA-256, not by the authorities of this machine
    #[arg(long, value_name = "sha256:…", requires = "url")]
    pub fingerprint: Option<Fingerprint>,
    /// Which stores.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `homelog source rename`.
#[derive(Args, Debug)]
pub struct RenameSourceArgs {
    /// Its name
    pub source: SourceName,
    /// The name to show it by; without one it is shown by its own again
    pub name: Option<String>,
    /// Which Homelog.
    #[command(flatten)]
    pub there: ThereArgs,
}

/// `homelog source remove`.
#[derive(Args, Debug)]
pub struct RemoveSourceArgs {
    /// Its name
    pub source: SourceName,
    /// Which Homelog.
    #[command(flatten)]
    pub there: ThereArgs,
}

/// `homelog source purge`.
#[derive(Args, Debug)]
pub struct PurgeSourceArgs {
    /// Its name
    pub source: SourceName,
    /// Do not ask whether all of it is to go
    #[arg(long)]
    pub yes: bool,
    /// Which Homelog.
    #[command(flatten)]
    pub there: ThereArgs,
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
    /// Whose token it is; that of an agent is the first admin's unless said otherwise
    #[arg(long, required_unless_present = "agent")]
    pub user: Option<String>,
    /// What it is for
    #[arg(long, required_unless_present = "agent")]
    pub name: Option<String>,
    /// What it may do, at most what its user may: viewer, operator or admin
    #[arg(long, default_value = "viewer", conflicts_with = "agent")]
    pub role: Role,
    /// Make it for an agent: it sends that agent's events here and does nothing else
    #[arg(long, value_name = "NAME")]
    pub agent: Option<AgentName>,
    /// Address by which the agent reaches this hub [default: the name of this machine with the port of `[api] listen`]
    #[arg(long, value_name = "URL", requires = "agent")]
    pub hub: Option<String>,
    /// A proxy answers at the address of --hub: the agent believes what its system trusts, not the certificate of `[api]`
    #[arg(long, requires = "hub")]
    pub no_pin: bool,
    /// How long it lives, such as 90d; without it for ever
    #[arg(long, value_name = "DURATION")]
    pub expires: Option<String>,
    /// Which control store.
    #[command(flatten)]
    pub place: PlaceArgs,
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
    fn what_is_moved_is_read() {
        let all = Destinations {
            kafka: true,
            influxdb: true,
            postgres: true,
        };
        assert_eq!("kafka+influxdb+postgres".parse(), Ok(all));
        assert_eq!("postgres+influxdb+kafka".parse(), Ok(all));
        for bad in ["", "kafka+kafka", "mysql", "kafka,influxdb"] {
            assert!(
                bad.parse::<Destinations>().is_err(),
                "{bad} must be refused"
            );
        }
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
