//! Reading: a snapshot of what is in memory and of the file that fit together.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{error::Fault, load::load, schema, state::State, writer::Shared};
use crate::QueryError;

/// A flush takes longer than a snapshot, so that two tries are nearly always enough.
const TRIES: usize = 64;

/// Connections for reading.
#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    /// Whether another process may write the file.
    follows: bool,
}

impl Readers {
    /// None is open yet.
    pub(super) fn new(shared: Arc<Shared>, follows: bool) -> Self {
        let permits = Arc::new(Semaphore::new(shared.options.readers.max(1)));
        Self {
            shared,
            idle: Arc::default(),
            permits,
            follows,
        }
    }

    /// Takes what is needed from memory, then reads the file as it was at that moment, on a thread that may block.
    pub(super) async fn read<S, T>(
        &self,
        take: impl Fn(&State) -> S + Send + 'static,
        read: impl FnOnce(&Connection, S) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, QueryError>
    where
        S: 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| QueryError::Closed)?;
        let (shared, idle, follows) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.idle),
            self.follows,
        );
        let work = move || {
            let _permit = permit;
            let conn = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match conn {
                Some(conn) => conn,
                None => schema::reader(&shared.path, shared.options.cache_kib)
                    .map_err(|e| Fault::from(e).of_query(&shared.shown))?,
            };
            let answer = snapshot(&conn, &shared, follows, take, read)
                .map_err(|fault| fault.of_query(&shared.shown));
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
            answer
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(error) => Err(QueryError::Failed {
                path: self.shared.shown.clone(),
                cause: error.to_string(),
            }),
        }
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn snapshot<S, T>(
    conn: &Connection,
    shared: &Shared,
    follows: bool,
    take: impl Fn(&State) -> S,
    read: impl FnOnce(&Connection, S) -> Result<T, Fault>,
) -> Result<T, Fault> {
    for _ in 0..TRIES {
        let (taken, generation) = {
            let state = shared.lock();
            state.readable()?;
            (take(&state), state.generation())
        };
        let tx = conn.unchecked_transaction()?;
        let on_disk: i64 = tx
            .prepare_cached("SELECT generation FROM meta WHERE id = 1")?
            .query_row([], |row| row.get(0))?;
        // a flush that came between the two has brought points to disk that the position of the answer does not know
        if on_disk < generation {
            return read(&tx, taken);
        }
        if follows {
            let fresh = State::new(load(&tx)?);
            drop(tx);
            *shared.lock() = fresh;
        }
    }
    Err(Fault::Row(
        "the file changed faster than it could be read; try again".to_owned(),
    ))
}
