use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tracing::warn;

use crate::error::OpenError;

/// Marks the file as ours in its head: `HLct`.
const APPLICATION_ID: i64 = 0x484c_6374;
/// The newest form of the tables.
const VERSION: i64 = 3;
const SCHEMA: &str = include_str!("schema.sql");
/// How the tables come from one form to the next; the first brings them to the second.
const STEPS: &[&str] = &[
    "ALTER TABLE api_token ADD COLUMN agent TEXT;
     CREATE TABLE source_owner (
         source TEXT PRIMARY KEY,
         agent TEXT NOT NULL,
         since INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;",
    "CREATE TABLE display_name (
         source TEXT PRIMARY KEY,
         name TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;",
];
/// How long another process may hold the write lock.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the file, makes it when it is not there, and checks that it is ours and whole.
pub(super) fn open(path: &Path) -> Result<(Connection, Connection), OpenError> {
    private_file(path)?;
    let mut writer = connect(path).map_err(|e| explain(path, &e))?;
    prepare(path, &mut writer)?;
    let reader = connect(path).map_err(|e| explain(path, &e))?;
    Ok((writer, reader))
}

/// The file holds password hashes and keys: its owner alone reads it. SQLite gives its log the same mode.
fn private_file(path: &Path) -> Result<(), OpenError> {
    let unwritable = |e: std::io::Error| OpenError::Unwritable {
        path: path.to_owned(),
        cause: e.to_string(),
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(unwritable)?;
    let mode = file.metadata().map_err(unwritable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        warn!(
            file = %path.display(),
            mode = format_args!("{mode:o}"),
            "control store `{}` could be read by others, its mode is 600 now",
            path.display()
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(unwritable)?;
    }
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -256;
         PRAGMA temp_store = MEMORY;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA journal_size_limit = 1048576;",
    )?;
    Ok(connection)
}

fn prepare(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let explained = |e: rusqlite::Error| explain(path, &e);
    let (application, version, tables) = head(connection).map_err(explained)?;
    if application != APPLICATION_ID && (tables > 0 || application != 0 || version != 0) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    if version > VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known: VERSION,
        });
    }
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
        .map_err(explained)?;
    if tables == 0 {
        create(connection).map_err(explained)?;
        return Ok(());
    }
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(explained)?;
    if found != "ok" {
        return Err(OpenError::Corrupt {
            path: path.to_owned(),
            detail: found,
        });
    }
    upgrade(connection).map_err(explained)
}

/// Brings older tables to the newest form, all or nothing.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (_, version, _) = head(&transaction)?;
    let done = usize::try_from(version - 1).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Application id, form, and number of tables.
fn head(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok((
        number("PRAGMA application_id")?,
        number("PRAGMA user_version")?,
        number("SELECT count(*) FROM sqlite_schema")?,
    ))
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // another process may have been first
    if head(&transaction)?.2 == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure,
        ) => OpenError::Unwritable {
            path,
            cause: error.to_string(),
        },
        _ => OpenError::Corrupt {
            path,
            detail: error.to_string(),
        },
    }
}
