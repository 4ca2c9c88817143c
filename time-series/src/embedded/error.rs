//! Why a store cannot be opened or read.

use std::path::PathBuf;

use schemas::{EntityKey, Timestamp};

use super::codec::Corrupt;
use crate::{QueryError, WriteError};

/// Why the file of a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something else than a time-series store.
    #[error(
        "{path} is not a time-series store of Homelog ({found}): choose another data directory, or move that file away", path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        found: &'static str,
    },
    /// Written by a later version.
    #[error(
        "{path} has format {found}, this version reads up to {known}: start the version that wrote it, or a later one", path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is known here.
        known: i64,
    },
    /// It does not hold what was written.
    #[error(
        "{path} is damaged ({cause}): restore it from a backup, or move it away together with its -wal file and it is rebuilt from what the event log still holds", path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        cause: String,
    },
    /// It, or its directory, cannot be read or written.
    #[error(
        "{path} cannot be opened for {purpose} ({cause}): check the owner and the permissions of the directory and its files", path = path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// `writing` or `reading`.
        purpose: &'static str,
        /// What the system said.
        cause: String,
    },
    /// There is no store to be read.
    #[error("there is no time-series store at {path}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// No room on the disk.
    #[error("the disk under {path} is full: free some space and start again", path = path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
}

/// What can go wrong between the file and an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite says no.
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
    /// A chunk is damaged.
    #[error(
        "the chunk of {entity} that begins at {time} is damaged: {corrupt}; restore the file from a backup, or replay the log into an empty store"
    )]
    Chunk {
        /// The entity.
        entity: EntityKey,
        /// When the chunk begins.
        time: Timestamp,
        /// What does not hold.
        corrupt: Corrupt,
    },
    /// A row is damaged.
    #[error("{0}")]
    Row(String),
    /// The answer would be too large.
    #[error("{0}")]
    Query(#[from] QueryError),
}

impl Fault {
    /// As the answer to a query.
    pub(super) fn of_query(self, path: &str) -> QueryError {
        match self {
            Self::Query(error) => error,
            fault => QueryError::Failed {
                path: path.to_owned(),
                cause: fault.to_string(),
            },
        }
    }

    /// As the answer to a write.
    pub(super) fn of_write(self, path: &str) -> WriteError {
        let path = path.to_owned();
        match self {
            Self::Sql(error) if is_full(&error) => WriteError::DiskFull { path },
            fault => WriteError::Failed {
                path,
                cause: fault.to_string(),
            },
        }
    }
}

/// Whether there was no room. The shared-memory file of the log is made by truncation, which a full disk refuses in its own way.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == rusqlite::ErrorCode::DiskFull
            || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
    })
}

impl OpenError {
    /// What SQLite said when a file was opened.
    pub(super) fn of(error: &rusqlite::Error, path: PathBuf, purpose: &'static str) -> Self {
        use rusqlite::ErrorCode as Code;
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(Code::NotADatabase) => Self::Foreign {
                path,
                found: "no SQLite database",
            },
            _ if is_full(error) => Self::DiskFull { path },
            Some(
                Code::CannotOpen | Code::PermissionDenied | Code::ReadOnly | Code::SystemIoFailure,
            ) => Self::Denied {
                path,
                purpose,
                cause,
            },
            _ => Self::Corrupt { path, cause },
        }
    }

    /// What was found in an opened file.
    pub(super) fn of_fault(fault: Fault, path: PathBuf, purpose: &'static str) -> Self {
        match fault {
            Fault::Sql(error) => Self::of(&error, path, purpose),
            fault => Self::Corrupt {
                path,
                cause: fault.to_string(),
            },
        }
    }
}
