use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use schemas::Epoch;

use super::seal;

/// `HLlg` in the header of the file: any tool can tell whose it is.
const APPLICATION_ID: i32 = 0x484c_6c67;
/// Version of the tables. From 3 on, blocks may hold events that are purged, and what is freed is overwritten.
const VERSION: i32 = 3;
/// An earlier version, which becomes the current one with the first purge.
const UNPURGED: i32 = 2;
const FILE: &str = "log.db";

const TABLES: &str = "
CREATE TABLE meta(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    last_logged INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    dead_letter_bytes INTEGER NOT NULL,
    sequences INTEGER NOT NULL,
    consumers INTEGER NOT NULL
) STRICT;
CREATE TABLE blocks(
    first_offset INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    logged_min INTEGER NOT NULL,
    logged_max INTEGER NOT NULL,
    time_min INTEGER NOT NULL,
    time_max INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_bounds ON blocks(logged_max, first_offset, count, time_min, time_max);
CREATE TABLE sequences(
    source TEXT NOT NULL,
    epoch TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    holes TEXT NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (source, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE consumers(
    name TEXT PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters(
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    field TEXT NOT NULL,
    time INTEGER NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (partition, offset, field)
) STRICT;
";

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program's file.
    #[error("{path} is not an event log of homelog: move it away, or choose another data directory", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Damaged.
    #[error(
        "the event log {path} is damaged ({cause}): restore a backup, or move the file away to begin a new log",
        path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Written by a later release.
    #[error(
        "the event log {path} has version {found}, this release reads up to {VERSION}: update homelog",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// May not be written.
    #[error(
        "the event log {path} cannot be written ({cause}): give this user write permission on the file and its directory",
        path = path.display()
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What was refused.
        cause: String,
    },
    /// Not there, for one that only reads.
    #[error("there is no event log at {path}: check the data directory", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// No room to open it.
    #[error("the disk under {path} is full: free some space", path = path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the event log {path} cannot be opened: {cause}", path = path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What failed.
        cause: String,
    },
}

/// The file of a log in its data directory.
pub(super) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    let cause = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, cause },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            OpenError::NotWritable { path, cause }
        }
        Some(ErrorCode::DiskFull) => OpenError::DiskFull { path },
        _ => OpenError::Failed { path, cause },
    }
}

/// Opens the file to write it; makes it if there is none.
pub(super) fn writable(path: &Path, max_bytes: Option<u64>) -> Result<Connection, OpenError> {
    let failed = |e: rusqlite::Error| explain(path, &e);
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(OpenError::NotWritable {
            path: path.to_path_buf(),
            cause: "permission denied".to_owned(),
        });
    }
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(failed)?;
    if is_empty(&connection).map_err(failed)? {
        create(&connection, path)?;
    }
    if version(&connection, path)? == 1 {
        seal::add(&mut connection).map_err(failed)?;
    }
    check_version(&connection, path)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA fullfsync = 1;
             PRAGMA checkpoint_fullfsync = 1;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -1024;
             PRAGMA journal_size_limit = 8388608;
             PRAGMA wal_autocheckpoint = 0;",
        )
        .map_err(failed)?;
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::Failed {
            path: path.to_path_buf(),
            cause: format!(
                "its file system does not support a write-ahead log (journal mode is {mode}): \
                 put the data directory on a local disk"
            ),
        });
    }
    if let Some(max_bytes) = max_bytes {
        let page: u32 = connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .map_err(failed)?;
        let pages = i64::try_from(max_bytes / u64::from(page.max(512))).unwrap_or(i64::MAX);
        connection
            .query_row(
                &format!("PRAGMA max_page_count = {}", pages.max(1)),
                [],
                |_| Ok(()),
            )
            .map_err(failed)?;
    }
    Ok(connection)
}

/// Opens the file to read what others write.
pub(super) fn readable(path: &Path) -> Result<Connection, OpenError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return Err(OpenError::Missing {
                path: path.to_path_buf(),
            });
        }
        Err(e) => {
            return Err(OpenError::Failed {
                path: path.to_path_buf(),
                cause: e.to_string(),
            });
        }
    }
    let connection = reader(path).map_err(|e| explain(path, &e))?;
    check_version(&connection, path)?;
    Ok(connection)
}

/// One more connection that reads a file which is known to be sound.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(
        "PRAGMA query_only = 1;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -256;",
    )?;
    Ok(connection)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    // ours without tables: the process died while it made them
    Ok(tables == 0 && (owner == 0 || owner == APPLICATION_ID))
}

fn create(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let io_failed = |e: io::Error| OpenError::Failed {
        path: path.to_path_buf(),
        cause: e.to_string(),
    };
    let epoch = Epoch::random().map_err(|e| OpenError::Failed {
        path: path.to_path_buf(),
        cause: format!("the system gives no random numbers: {e}"),
    })?;
    connection
        .execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             BEGIN IMMEDIATE;
             {TABLES}
             INSERT INTO meta VALUES (1, '{epoch}', 0, 0, 0, 0, 0, 0);
             PRAGMA user_version = {VERSION};
             COMMIT;"
        ))
        .map_err(|e| explain(path, &e))?;
    if let Some(directory) = path.parent() {
        // the name of the file must survive a power cut as its content does
        std::fs::File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(io_failed)?;
    }
    Ok(())
}

/// The version of a file that is ours.
fn version(connection: &Connection, path: &Path) -> Result<i32, OpenError> {
    let value = |name: &str| -> Result<i32, OpenError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| explain(path, &e))
    };
    if value("application_id")? != APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_path_buf(),
        });
    }
    value("user_version")
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match version(connection, path)? {
        VERSION | UNPURGED => Ok(()),
        1 => Err(OpenError::Failed {
            path: path.to_path_buf(),
            cause: "an earlier release wrote it: start homelog on it once".to_owned(),
        }),
        found if found > VERSION => Err(OpenError::Newer {
            path: path.to_path_buf(),
            found,
        }),
        found => Err(OpenError::Corrupt {
            path: path.to_path_buf(),
            cause: format!("its version is {found}"),
        }),
    }
}

/// Whether a file has the current version.
pub(super) fn is_current(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version == VERSION)
}

/// Gives a file the current version.
pub(super) fn make_current(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", VERSION)
}

/// What an opened file cannot be, though SQLite reads it.
pub(super) fn corrupt(path: &Path, cause: impl Into<String>) -> OpenError {
    OpenError::Corrupt {
        path: path.to_path_buf(),
        cause: cause.into(),
    }
}

/// An error of SQLite while a log is opened.
pub(super) fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> OpenError {
    move |e| match e {
        rusqlite::Error::QueryReturnedNoRows
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => corrupt(path, e.to_string()),
        e => explain(path, &e),
    }
}
