//! The port that an integration implements, and what the registry makes of it.
//!
//! An integration is one file with a type that implements [`Integration`] and one line
//! `pub(super) static INTEGRATION: Typed<Host> = Typed::new();`. Everything else follows: the configuration, the
//! catalogue, the example file, the scheduling.

use std::{
    fmt,
    fs::File,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use schemas::{
    MetricDef, SourceName,
    name::{AgentName, SourceKind},
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use supervision::Supervisor;

use crate::{Batch, OpenError, PollError, Sources};

/// Keys below the option `tls` that name files.
pub const TLS_FILES: [&str; 3] = ["ca", "cert", "key"];
/// Most bytes of such a file that are compared.
const MOST_FILE: u64 = 4 * 1024 * 1024;

/// What an integration is given; it reaches for nothing else.
#[derive(Clone)]
pub struct Context {
    /// The name of the source that is opened.
    pub source: SourceName,
    /// The agent that collects.
    pub agent: AgentName,
    /// The name of this machine.
    pub hostname: Arc<str>,
    /// Starts the tasks of connections.
    pub supervisor: Supervisor,
    /// Takes further sources that this one finds: see [`crate::sources`].
    pub sources: Sources,
}

/// Why [`Integration::listen`] came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The batch holds what was heard.
    Events,
    /// As [`Heard::Events`], and a poll would tell more: it comes at once instead of at its time.
    PollNow,
}

/// One kind of service.
pub trait Integration: Sized + Send + 'static {
    /// Its stable name in configurations and events.
    const KIND: &'static str;
    /// What it watches, one sentence.
    const HELP: &'static str;
    /// How often it is polled where the configuration says nothing.
    const DEFAULT_INTERVAL: Duration;
    /// Every metric it can send.
    const METRICS: &'static [MetricDef];
    /// Every option besides the common ones as commented TOML lines (`# url = "…"`), for the example configuration.
    const EXAMPLE: &'static str;
    /// The options that a source may have that is asked for by others, such as a container by its labels; none where such a
    /// source cannot be. Never a secret, a file or a program.
    const FROM_LABELS: &'static [&'static str] = &[];
    /// Its options; `deny_unknown_fields`.
    type Params: DeserializeOwned + Clone + Send + Sync + 'static;

    /// Starts with checked parameters; does not talk to the service yet.
    ///
    /// # Errors
    /// A parameter that cannot work.
    fn open(params: Self::Params, context: &Context) -> Result<Self, OpenError>;

    /// Reads the service once. May be dropped at any `.await` when its time is over; what is in the batch then is kept.
    ///
    /// # Errors
    /// The service could not be read.
    fn poll(&mut self, batch: &mut Batch) -> impl Future<Output = Result<(), PollError>> + Send;

    /// Waits between polls for what the service says by itself, or answers late. Dropped at any `.await` when the next poll is
    /// due. It may come back with an empty batch.
    fn listen(&mut self, batch: &mut Batch) -> impl Future<Output = Heard> + Send {
        let _ = batch;
        std::future::pending()
    }

    /// Whether something that is asked beside the polls is still to be answered, or should be: then
    /// [`listen`](Self::listen) comes back without anything happening at the service.
    fn is_reading(&self) -> bool {
        false
    }

    /// Takes a one-time code of a second factor for the next login; returns whether it has a use for one.
    fn take_code(&mut self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// What the service gave for that code, once.
    fn given(&mut self) -> Option<Given> {
        None
    }
}

/// What a service gave for a one-time code: with this option it wants none any more.
pub struct Given {
    option: &'static str,
    value: SecretString,
}

impl Given {
    pub(crate) const fn new(option: &'static str, value: SecretString) -> Self {
        Self { option, value }
    }

    /// The name of the option.
    pub const fn option(&self) -> &'static str {
        self.option
    }

    /// The line of a configuration, for the one person who asked for it.
    pub fn line(&self) -> String {
        let value = toml::Value::from(self.value.expose_secret());
        format!("{} = {value}", self.option)
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("option", &self.option)
            .finish_non_exhaustive()
    }
}

/// An open integration without its type.
#[async_trait]
pub(crate) trait Opened: Send {
    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError>;
    async fn listen(&mut self, batch: &mut Batch) -> Heard;
    fn is_reading(&self) -> bool;
    fn take_code(&mut self, code: &str) -> bool;
    fn given(&mut self) -> Option<Given>;
}

#[async_trait]
impl<I: Integration> Opened for I {
    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        Integration::poll(self, batch).await
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        Integration::listen(self, batch).await
    }

    fn is_reading(&self) -> bool {
        Integration::is_reading(self)
    }

    fn take_code(&mut self, code: &str) -> bool {
        Integration::take_code(self, code)
    }

    fn given(&mut self) -> Option<Given> {
        Integration::given(self)
    }
}

/// An integration with its parameters, ready to be opened, again and again if it must.
#[derive(Clone)]
pub struct Configured {
    kind: SourceKind,
    /// Of what the options said, and of what was in the files that they name; none where they did not come as text.
    digest: Option<u64>,
    files: Vec<PathBuf>,
    insecure: bool,
    open: Arc<Opener>,
}

type Opener = dyn Fn(&Context) -> Result<Box<dyn Opened>, OpenError> + Send + Sync;

impl Configured {
    /// An integration with parameters that did not come from a configuration.
    pub fn of<I: Integration>(params: I::Params) -> Self {
        Self {
            kind: kind_of::<I>(),
            digest: None,
            files: Vec::new(),
            insecure: false,
            open: Arc::new(move |context| {
                I::open(params.clone(), context).map(|open| Box::new(open) as Box<dyn Opened>)
            }),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> &SourceKind {
        &self.kind
    }

    /// Whether it believes whoever answers (`tls = { insecure = true }`).
    pub const fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// The files that its options name and that it reads when it is opened, there or not.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether it is the same kind with the same options, and with the same in the files that they name.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_options = self.digest.is_some() && self.digest == other.digest;
        self.kind == other.kind && (same_options || Arc::ptr_eq(&self.open, &other.open))
    }

    /// Opens and drops it: whether its parameters can work, for `check`.
    ///
    /// # Errors
    /// As opening it.
    pub fn check(&self, context: &Context) -> Result<(), OpenError> {
        self.open(context).map(drop)
    }

    pub(crate) fn open(&self, context: &Context) -> Result<Box<dyn Opened>, OpenError> {
        (self.open)(context)
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::expect_used,
    reason = "a constant of the program; a test opens every kind"
)]
fn kind_of<I: Integration>() -> SourceKind {
    SourceKind::new(I::KIND).expect("the kind of an integration is a valid name")
}

/// Parameters that are not what the integration takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParamsError {
    /// The offending key below the source, dotted; empty where it is the source itself, such as a missing key.
    pub key: String,
    /// What is wrong, in words.
    pub message: String,
}

/// One kind as the registry knows it.
pub trait Registration: Sync {
    /// Its stable name.
    fn kind(&self) -> &'static str;
    /// What it watches, one sentence.
    fn help(&self) -> &'static str;
    /// How often it is polled where the configuration says nothing.
    fn default_interval(&self) -> Duration;
    /// Every metric it can send.
    fn metrics(&self) -> &'static [MetricDef];
    /// Every option besides the common ones, as commented TOML lines.
    fn example(&self) -> &'static str;
    /// The options that others may set who ask for such a source.
    fn label_options(&self) -> &'static [&'static str];
    /// Reads the options of one source: its table without the keys that all sources share. Reads the files that they name, so
    /// that it may block where they name any.
    ///
    /// # Errors
    /// An unknown key, a missing one, or a value of another type.
    fn parse(&self, options: toml::Table) -> Result<Configured, ParamsError>;
}

/// What is in a file; none where it cannot be read, which whoever needs it will tell.
fn content(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MOST_FILE).read_to_end(&mut bytes));
    read.is_ok().then_some(bytes)
}

/// The registration of an integration.
pub(crate) struct Typed<I>(PhantomData<fn() -> I>);

impl<I> Typed<I> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<I: Integration> Registration for Typed<I> {
    fn kind(&self) -> &'static str {
        I::KIND
    }

    fn help(&self) -> &'static str {
        I::HELP
    }

    fn default_interval(&self) -> Duration {
        I::DEFAULT_INTERVAL
    }

    fn metrics(&self) -> &'static [MetricDef] {
        I::METRICS
    }

    fn example(&self) -> &'static str {
        I::EXAMPLE
    }

    fn label_options(&self) -> &'static [&'static str] {
        I::FROM_LABELS
    }

    fn parse(&self, options: toml::Table) -> Result<Configured, ParamsError> {
        let unknown = options.keys().cloned().collect::<Vec<_>>();
        let tls = |key: &str| options.get("tls").and_then(|tls| tls.get(key));
        let insecure = tls("insecure").and_then(toml::Value::as_bool) == Some(true);
        let named = TLS_FILES.into_iter().filter_map(|key| tls(key)?.as_str());
        let files: Vec<_> = named.map(PathBuf::from).collect();
        // kept in the place of the options, which hold secrets
        let digest = {
            let mut hasher = DefaultHasher::new();
            options.to_string().hash(&mut hasher);
            for file in &files {
                content(file).hash(&mut hasher);
            }
            hasher.finish()
        };
        serde_path_to_error::deserialize(options)
            .map(|params| Configured {
                digest: Some(digest),
                files,
                insecure,
                ..Configured::of::<I>(params)
            })
            .map_err(|error| {
                let path = error.path().to_string();
                let message = error.inner().message().to_owned();
                let key = if path == "." {
                    // serde names an unknown key only in its words
                    unknown
                        .into_iter()
                        .find(|key| message.starts_with(&format!("unknown field `{key}`")))
                        .unwrap_or_default()
                } else {
                    path
                };
                ParamsError { key, message }
            })
    }
}
