use std::time::Duration;

/// Why a batch was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// No room; the same batch may succeed later.
    #[error(
        "the disk under {path} is full: free some space, nothing is lost while the event log holds it"
    )]
    DiskFull {
        /// The file that could not grow.
        path: String,
    },
    /// The server does not take it now: it is down, overloaded or says when to come again.
    #[error("the time-series store at {server} takes nothing now: {cause}")]
    Unavailable {
        /// The server.
        server: String,
        /// What it answered, or why it did not.
        cause: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server refuses us until a person changes its or our configuration. Trying again slowly makes sense: that person
    /// may do so without a restart.
    #[error("the time-series store at {server} refuses every write: {cause}")]
    Misconfigured {
        /// The server.
        server: String,
        /// What is wrong, by name, and what to do.
        cause: String,
    },
    /// It was closed: the process stops.
    #[error("the time-series store is closed")]
    Closed,
    /// The store failed; it takes no more until a restart.
    #[error("the time-series store at {path} failed and takes no more until a restart: {cause}")]
    Failed {
        /// The file or server.
        path: String,
        /// What failed.
        cause: String,
    },
}

impl WriteError {
    /// Whether the same batch may succeed later without a restart.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. } | Self::Unavailable { .. } | Self::Misconfigured { .. }
        )
    }

    /// Whether a person must act before the same batch can succeed: say it loudly and try again slowly.
    pub const fn needs_a_person(&self) -> bool {
        !matches!(self, Self::Unavailable { .. } | Self::Closed)
    }

    /// How long to wait at least before the same batch is tried again.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// More than one answer may hold.
    #[error(
        "{what}: the answer would hold {asked}, the limit is {limit}; ask for a shorter range, a larger step or fewer entities"
    )]
    TooLarge {
        /// What there is too much of: `samples`, `windows`, `series`.
        what: &'static str,
        /// How many were asked for.
        asked: u64,
        /// How many there may be.
        limit: u64,
    },
    /// It was closed: the process stops.
    #[error("the time-series store is closed")]
    Closed,
    /// The store failed.
    #[error("the time-series store at {path} cannot be read: {cause}")]
    Failed {
        /// The file or server.
        path: String,
        /// What failed.
        cause: String,
    },
}
