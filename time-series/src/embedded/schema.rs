//! The database file.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{error::OpenError, options::Options};

/// `HLts`, so that other programs' files are told apart.
const APPLICATION: i64 = 0x484c_7473;
/// The format of new files. From 2 on, what is freed is overwritten; a file of format 1 becomes one with the first purge.
const FORMAT: i64 = 2;
/// A lock is only ever held for the moment of a checkpoint or by a backup.
const BUSY: Duration = Duration::from_secs(10);

/// What SQLite can address.
const MOST_PAGES: i64 = 0xffff_fffe;

const TABLES: &str = "
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  position TEXT,                 -- of the event log: everything before it is in here
  generation INTEGER NOT NULL,   -- counts flushes
  points INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  trimmed_before INTEGER         -- Unix milliseconds
);
INSERT INTO meta VALUES (1, NULL, 0, 0, 0, NULL);
CREATE TABLE entities (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,      -- source/type/id
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  kind TEXT NOT NULL,
  agent TEXT,
  labels TEXT NOT NULL,          -- newest, JSON
  last_time INTEGER NOT NULL,    -- of its newest point, Unix milliseconds
  fields TEXT NOT NULL           -- JSON: name -> newest value, its time, time of the first
);
CREATE TABLE field_types (
  entity_type TEXT NOT NULL,
  field TEXT NOT NULL,
  value_type TEXT NOT NULL,
  PRIMARY KEY (entity_type, field)
) WITHOUT ROWID;
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,        -- entity << 43 | first time in Unix milliseconds
  last_time INTEGER NOT NULL,
  points INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  head BLOB NOT NULL,            -- what is known without reading the values
  body BLOB NOT NULL             -- times and values by column
);
";

/// Where the event log's files of a database lie.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn purpose(read_only: bool) -> &'static str {
    if read_only { "reading" } else { "writing" }
}

/// Opens the file for writing, making it if there is none.
pub(super) fn open(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let refused = |error: &rusqlite::Error| OpenError::of(error, path.to_owned(), purpose(false));
    let new = look(path, false)?;
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| refused(&e))?;
    (|| {
        conn.busy_timeout(BUSY)?;
        if new {
            conn.pragma_update(None, "page_size", 2048)?;
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        conn.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
        conn.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
        Ok(())
    })()
    .map_err(|e| refused(&e))?;
    identify(&conn, path, false)?;
    (|| {
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        // checkpoints are made after a commit, when nobody waits
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
        if format(&conn)? == 0 {
            conn.execute_batch(&format!(
                "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
            ))?;
        } else {
            // shows now, rather than with the first points, that the file can be written
            conn.execute_batch("BEGIN IMMEDIATE; UPDATE meta SET generation = generation; ROLLBACK;")?;
        }
        if let Some(bytes) = options.max_bytes {
            let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
            conn.pragma_update_and_check(None, "max_page_count", pages.clamp(1, MOST_PAGES), |_| Ok(()))?;
        }
        Ok(())
    })()
    .map_err(|e| refused(&e))?;
    Ok(conn)
}

/// Opens the file for reading; there must be one.
pub(super) fn open_read_only(path: &Path, cache_kib: u32) -> Result<Connection, OpenError> {
    let refused = |error: &rusqlite::Error| OpenError::of(error, path.to_owned(), purpose(true));
    if look(path, true)? {
        return Err(OpenError::Missing {
            path: path.to_owned(),
        });
    }
    let conn = reader(path, cache_kib).map_err(|e| refused(&e))?;
    identify(&conn, path, true)?;
    if format(&conn).map_err(|e| refused(&e))? == 0 {
        return Err(OpenError::Missing {
            path: path.to_owned(),
        });
    }
    Ok(conn)
}

/// One more connection for reading.
pub(super) fn reader(path: &Path, cache_kib: u32) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    Ok(conn)
}

/// Looks at the file before SQLite does; whether it has still to be made.
fn look(path: &Path, read_only: bool) -> Result<bool, OpenError> {
    let denied = |cause: std::io::Error| OpenError::Denied {
        path: path.to_owned(),
        purpose: purpose(read_only),
        cause: cause.to_string(),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return match path.parent() {
                Some(dir) if !dir.as_os_str().is_empty() && !dir.is_dir() => Err(denied(e)),
                _ => Ok(true),
            };
        }
        Err(e) => return Err(denied(e)),
    };
    let mut begin = Vec::new();
    file.take(16).read_to_end(&mut begin).map_err(denied)?;
    if begin.is_empty() {
        Ok(true)
    } else if begin == b"SQLite format 3\0" {
        Ok(false)
    } else {
        Err(OpenError::Foreign {
            path: path.to_owned(),
            found: "no SQLite database",
        })
    }
}

fn format(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether a file has the current format.
pub(super) fn is_current(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(format(conn)? == FORMAT)
}

/// Gives a file the current format.
pub(super) fn make_current(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "user_version", FORMAT)
}

fn identify(conn: &Connection, path: &Path, read_only: bool) -> Result<(), OpenError> {
    let refused =
        |error: &rusqlite::Error| OpenError::of(error, path.to_owned(), purpose(read_only));
    let application: i64 = conn
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|e| refused(&e))?;
    let found = format(conn).map_err(|e| refused(&e))?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| refused(&e))?;
    if application != APPLICATION && (application != 0 || found != 0 || tables != 0) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
            found: "a database of another program",
        });
    }
    if found > FORMAT {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    Ok(())
}
