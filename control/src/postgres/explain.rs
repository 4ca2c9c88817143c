//! What an error of the server or of the way to it means.

use std::error::Error as _;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::{Error, error::SqlState};

use super::{OpenError, options::Named};
use crate::StoreError;

/// Why there is no connection, or why its first statements failed.
pub(super) fn open(named: &Named, error: &Error) -> OpenError {
    let server = named.server.clone();
    let database = named.database.clone();
    let user = named.user.clone();
    let cause = said(error);
    let Some(code) = error.code() else {
        return without_code(named, error, cause);
    };
    if *code == SqlState::INVALID_PASSWORD {
        OpenError::Password { server, user }
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        OpenError::NoAccess {
            server,
            user,
            database,
            cause,
        }
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        OpenError::NoDatabase {
            server,
            database,
            user,
        }
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        OpenError::Rights {
            server,
            user,
            database,
            cause,
        }
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        OpenError::ReadOnly { server }
    } else if is_gone(code) || *code == SqlState::TOO_MANY_CONNECTIONS || is_contention(error) {
        OpenError::Busy { server, cause }
    } else {
        OpenError::Failed {
            server,
            database,
            cause,
        }
    }
}

fn without_code(named: &Named, error: &Error, cause: String) -> OpenError {
    let server = named.server.clone();
    if cause.contains("password missing") {
        return OpenError::Password {
            server,
            user: named.user.clone(),
        };
    }
    if cause.contains("does not support TLS") {
        return OpenError::NoTls { server };
    }
    let mut source = error.source();
    while let Some(inner) = source {
        let io = inner.downcast_ref::<std::io::Error>();
        let tls = io.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls.or_else(|| inner.downcast_ref()) {
            return OpenError::Certificate {
                server,
                cause: tls.to_string(),
            };
        }
        if io.is_some() {
            return OpenError::Unreachable { server, cause };
        }
        source = inner.source();
    }
    if error.is_closed() || cause.contains("timeout") {
        return OpenError::Unreachable { server, cause };
    }
    OpenError::Failed {
        server,
        database: named.database.clone(),
        cause,
    }
}

/// The server's message, else the innermost cause. Never the detail of a message: it can hold values.
fn said(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        return db.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

/// Whether the same transaction would pass if it were tried again.
pub(super) fn is_contention(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
    })
}

/// Whether the connection, not the statement, is what failed.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.code() {
        Some(code) => is_gone(code),
        None => {
            error.is_closed()
                || error
                    .source()
                    .and_then(|source| source.downcast_ref::<std::io::Error>())
                    .is_some()
        }
    }
}

fn is_gone(code: &SqlState) -> bool {
    *code == SqlState::ADMIN_SHUTDOWN
        || *code == SqlState::CRASH_SHUTDOWN
        || *code == SqlState::CANNOT_CONNECT_NOW
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

/// Why a statement of an open store failed.
pub(super) fn statement(named: &Named, error: &Error) -> StoreError {
    let store = named.store();
    let cause = said(error);
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::Full { store },
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => StoreError::Locked { store },
        Some(code) if *code == SqlState::QUERY_CANCELED => StoreError::Unavailable {
            store,
            cause: "the statement took longer than its time-out".to_owned(),
        },
        _ if is_lost(error) || is_contention(error) => StoreError::Unavailable { store, cause },
        _ => StoreError::Failed { store, cause },
    }
}

/// Why an open store has no connection to give.
pub(super) fn pool(named: &Named, error: &PoolError) -> StoreError {
    let cause = match error {
        PoolError::Backend(error) => open(named, error).to_string(),
        PoolError::Timeout(TimeoutType::Wait) => {
            "all connections are in use: raise the size of the pool".to_owned()
        }
        PoolError::Timeout(_) => "the server does not answer".to_owned(),
        other => other.to_string(),
    };
    StoreError::Unavailable {
        store: named.store(),
        cause,
    }
}
