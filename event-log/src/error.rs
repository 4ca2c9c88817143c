use schemas::Position;

/// Why nothing of an append is durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// No room; the same append may succeed later.
    #[error(
        "the disk under {path} is full: free some space, nothing that was acknowledged is lost"
    )]
    DiskFull {
        /// The file that could not grow.
        path: String,
    },
    /// More waits already than may wait; the same append may succeed later.
    #[error("the event log has more to write than it may hold back: try again in a moment")]
    Busy,
    /// It was closed: the process stops.
    #[error("the event log is closed")]
    Closed,
    /// A write failed in a way that leaves its outcome open; no write is tried again until a restart.
    #[error("the event log at {path} failed and takes no more events until a restart: {cause}")]
    Broken {
        /// The file.
        path: String,
        /// What failed.
        cause: String,
    },
}

impl AppendError {
    /// Whether the same append may succeed later without a restart.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Busy)
    }
}

/// Why a read gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The position was trimmed, or belongs to another log.
    #[error("the position is not in the log any more, or never was")]
    PositionGone {
        /// The first position that can be read.
        oldest: Position,
        /// Points after the newest event.
        newest: Position,
    },
    /// The log was closed.
    #[error("the event log is closed")]
    Closed,
    /// The log cannot be read.
    #[error("the event log at {path} cannot be read: {cause}")]
    Failed {
        /// The file or server.
        path: String,
        /// What failed.
        cause: String,
        /// Whether the same read may succeed later: a server does not answer now, while a broken file stays broken.
        passes: bool,
    },
}

impl ReadError {
    /// Whether the same read may succeed later without a restart.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { passes: true, .. })
    }
}
