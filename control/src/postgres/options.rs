use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::{OpenError, tls::Verify};

/// Where the database is and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `postgres://user:password@host:5432/database`, with the parameters that `libpq` knows.
    ///
    /// `sslmode` is `disable`, `prefer` (without it: TLS if the server has it, unverified), `require` (TLS, unverified
    /// unless there is a CA file), `verify-ca` or `verify-full` (the certificate is of a known authority, and of that host).
    pub url: SecretString,
    /// PEM file of the authority that signed the server's certificate; without `sslmode` it means `verify-full`.
    /// The same as `sslrootcert` in the address, which it goes before.
    pub ca: Option<PathBuf>,
    /// Most connections at once, at least 1.
    pub pool: usize,
    /// How long a connection may take to be made, or to become free; 100 ms at least.
    pub connect_timeout: Duration,
    /// How long one statement may take, at the server as well; 100 ms at least. All of one change have twice that.
    pub statement_timeout: Duration,
}

impl Options {
    /// A few connections and seconds, which suit a home.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            ca: None,
            pool: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

/// What the options say, read and checked.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) verify: Verify,
    pub(super) ca: Option<PathBuf>,
    pub(super) named: Named,
}

/// What messages call the database: never with the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) server: String,
    pub(super) database: String,
    pub(super) user: String,
}

impl Named {
    /// The store in one word.
    pub(super) fn store(&self) -> String {
        format!("postgres://{}/{}", self.server, self.database)
    }
}

const FORM: &str = "write it as postgres://user:password@host:5432/database, with the special characters of the password \
                    percent-encoded";

fn wrong(cause: impl Into<String>) -> OpenError {
    OpenError::Url {
        cause: cause.into(),
    }
}

/// Reads the options. What is refused is never shown: a password with unencoded characters can be anywhere in it.
pub(super) fn read(options: &Options) -> Result<Target, OpenError> {
    let url = options.url.expose_secret().trim();
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong(FORM));
    }
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    if parameters.contains('@') || base.matches('@').count() > 1 {
        return Err(wrong(FORM));
    }
    let mut mode = None;
    let mut ca = options.ca.clone();
    let mut rest = Vec::new();
    for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => {
                if ca.is_none() {
                    ca = Some(PathBuf::from(decoded(value)?));
                }
            }
            _ => rest.push(parameter),
        }
    }
    let (ssl_mode, verify) = tls_of(mode, ca.as_deref())?;
    let mut text = base.to_owned();
    if !rest.is_empty() {
        text.push('?');
        text.push_str(&rest.join("&"));
    }
    let mut config = Config::from_str(&text).map_err(|_| {
        wrong(format!(
            "{FORM}; known parameters are sslmode, sslrootcert, application_name, options, \
             target_session_attrs, channel_binding, hostaddr and the keepalives"
        ))
    })?;
    let named = named(&config)?;
    complete(&mut config, ssl_mode, options);
    Ok(Target {
        config,
        verify,
        ca,
        named,
    })
}

fn decoded(text: &str) -> Result<String, OpenError> {
    // the parser of the addresses decodes; a file name comes through it as a database name
    Config::from_str(&format!("postgres://h/{text}"))
        .ok()
        .and_then(|config| config.get_dbname().map(str::to_owned))
        .ok_or_else(|| wrong("sslrootcert is not a percent-encoded file name"))
}

fn tls_of(mode: Option<&str>, ca: Option<&Path>) -> Result<(SslMode, Verify), OpenError> {
    Ok(match (mode, ca) {
        (Some("disable" | "allow" | "prefer"), Some(_)) => {
            return Err(wrong(
                "a CA file needs sslmode=verify-full, or none of both is given",
            ));
        }
        (Some("disable"), None) => (SslMode::Disable, Verify::Nothing),
        (Some("prefer") | None, None) => (SslMode::Prefer, Verify::Nothing),
        (Some("require"), None) => (SslMode::Require, Verify::Nothing),
        (Some("require"), Some(_)) | (Some("verify-ca"), _) => (SslMode::Require, Verify::Chain),
        (Some("verify-full"), _) | (None, Some(_)) => (SslMode::Require, Verify::Host),
        (Some(_), _) => {
            return Err(wrong(
                "sslmode is one of disable, prefer, require, verify-ca and verify-full",
            ));
        }
    })
}

fn named(config: &Config) -> Result<Named, OpenError> {
    let user = config.get_user().filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| wrong(format!("it has no user: {FORM}")))?;
    let database = config.get_dbname().filter(|name| !name.is_empty());
    let database = database.ok_or_else(|| wrong(format!("it has no database: {FORM}")))?;
    if config.get_hosts().is_empty() {
        return Err(wrong(format!("it has no host: {FORM}")));
    }
    let mut servers = Vec::new();
    for (n, host) in config.get_hosts().iter().enumerate() {
        let ports = config.get_ports();
        let port = ports.get(n).or_else(|| ports.first()).unwrap_or(&5432);
        match host {
            Host::Tcp(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
                if name.is_empty() || !name.chars().all(plain) {
                    return Err(wrong(format!("it has no host: {FORM}")));
                }
                servers.push(format!("{name}:{port}"));
            }
            Host::Unix(path) => servers.push(path.display().to_string()),
        }
    }
    Ok(Named {
        server: servers.join(","),
        database: database.to_owned(),
        user: user.to_owned(),
    })
}

/// What Homelog wants of each connection.
fn complete(config: &mut Config, ssl_mode: SslMode, options: &Options) {
    let own = format!(
        "-c search_path={schema} -c statement_timeout={statement} -c idle_in_transaction_session_timeout={idle} \
         -c timezone=UTC -c client_min_messages=warning",
        schema = super::migrations::SCHEMA,
        statement = options.statement_timeout.as_millis(),
        idle = 2 * options.statement_timeout.as_millis(),
    );
    let all = match config.get_options() {
        Some(theirs) => format!("{theirs} {own}"),
        None => own,
    };
    if config.get_application_name().is_none() {
        config.application_name("homelog");
    }
    config
        .ssl_mode(ssl_mode)
        .options(all)
        .connect_timeout(options.connect_timeout)
        .tcp_user_timeout(2 * options.statement_timeout)
        .keepalives_idle(Duration::from_secs(30));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_url(url: &str) -> Result<Target, OpenError> {
        read(&Options::new(SecretString::from(url)))
    }

    #[test]
    fn an_address_is_read_and_named_without_its_password() {
        let target = read_url("postgres://ada:hun%40ter2@db.lan:5433/homelog").unwrap();
        assert_eq!(target.config.get_password(), Some(&b"hun@ter2"[..]));
        assert_eq!(target.named.store(), "postgres://db.lan:5433/homelog");
        assert_eq!(target.named.user, "ada");
        let shown = format!(
            "{:?}",
            Options::new(SecretString::from(
                "postgres://ada:hun%40ter2@db.lan/homelog"
            ))
        );
        assert!(!shown.contains("ter2"), "{shown}");
    }

    #[test]
    fn sslmode_and_ca_say_how_tls_is_used() {
        let with = |query: &str| {
            let target = read_url(&format!("postgres://ada@db/homelog{query}")).unwrap();
            (target.config.get_ssl_mode(), target.verify)
        };
        assert_eq!(with(""), (SslMode::Prefer, Verify::Nothing));
        assert_eq!(
            with("?sslmode=disable"),
            (SslMode::Disable, Verify::Nothing)
        );
        assert_eq!(with("?sslmode=prefer"), (SslMode::Prefer, Verify::Nothing));
        assert_eq!(
            with("?sslmode=require"),
            (SslMode::Require, Verify::Nothing)
        );
        assert_eq!(
            with("?sslmode=verify-ca"),
            (SslMode::Require, Verify::Chain)
        );
        assert_eq!(
            with("?sslmode=verify-full"),
            (SslMode::Require, Verify::Host)
        );
        assert_eq!(
            with("?sslrootcert=%2Fca.pem"),
            (SslMode::Require, Verify::Host)
        );
        assert_eq!(
            with("?sslmode=require&sslrootcert=/ca.pem"),
            (SslMode::Require, Verify::Chain)
        );
        let target = read_url("postgres://ada@db/homelog?sslrootcert=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(target.ca, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn a_wrong_address_is_refused_without_being_shown() {
        for url in [
            "",
            "db.lan",
            "mysql://ada:hunter2@db/homelog",
            "host=db password=hunter2",
            "postgres://db/homelog",
            "postgres://ada:hunter2@/homelog",
            "postgres://ada:hunter2@db",
            "postgres://ada:x@hunter2@db/homelog",
            "postgres://ada:x?hunter2@db/homelog",
            "postgres://ada:x@hunter2/y@db/homelog",
            "postgres://ada:hunter2@db:port/homelog",
            "postgres://ada:hunter2@db/homelog?hunter2=1",
            "postgres://ada:hunter2@db/homelog?sslmode=hunter2",
            "postgres://ada:hunter2@db/homelog?sslmode=disable&sslrootcert=ca.pem",
        ] {
            let error = read_url(url)
                .err()
                .unwrap_or_else(|| panic!("{url} must be refused"));
            let said = format!("{error} {error:?}");
            assert!(!said.contains("hunter2"), "{said}");
            assert!(!error.is_transient());
        }
    }
}
