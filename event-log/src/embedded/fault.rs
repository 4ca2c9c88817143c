use rusqlite::ErrorCode;

use super::shared::Shared;
use crate::AppendError;

/// Why a transaction is not durable.
#[derive(Clone, Debug)]
pub(super) enum WriteFault {
    /// No room. Nothing of it was written.
    DiskFull,
    /// Another program holds the file. Nothing of it was written.
    Busy,
    /// Whether it was written is open.
    Broken(String),
}

impl From<rusqlite::Error> for WriteFault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            // also a failed fsync: the system forgets what it could not write, a second try would seem to succeed
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<std::io::Error> for WriteFault {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl WriteFault {
    pub(super) fn explain(self, shared: &Shared) -> AppendError {
        match self {
            Self::DiskFull => AppendError::DiskFull {
                path: shared.path.display().to_string(),
            },
            Self::Busy => AppendError::Busy,
            Self::Broken(cause) => shared.broken(cause),
        }
    }
}
