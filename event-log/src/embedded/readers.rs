use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Semaphore;

use super::{
    open,
    reader::{Fault, Reader},
    shared::{Shared, Status},
};
use crate::ReadError;

/// Most reads at the same time.
const READERS: u32 = 3;

/// A few connections that read, opened when they are needed.
pub(super) struct Readers {
    shared: Arc<Shared>,
    idle: Arc<Mutex<Vec<Reader>>>,
    turns: Semaphore,
    ceiling: u64,
}

impl Readers {
    /// Readers that show nothing from an offset on.
    pub(super) fn new(shared: Arc<Shared>, ceiling: u64) -> Self {
        Self {
            shared,
            idle: Arc::default(),
            turns: Semaphore::new(READERS as usize),
            ceiling,
        }
    }

    /// Runs a read where blocking is allowed.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let _turn = self.turns.acquire().await.map_err(|_| ReadError::Closed)?;
        if matches!(self.shared.status(), Status::Closed) {
            return Err(ReadError::Closed);
        }
        let idle = Arc::clone(&self.idle);
        let shared = Arc::clone(&self.shared);
        let ceiling = self.ceiling;
        let result = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match waiting {
                Some(reader) => reader,
                None => connect(&shared.path, ceiling)?,
            };
            let result = work(&mut reader);
            // a connection that failed is not used again
            if matches!(result, Ok(_) | Err(Fault::Gone { .. })) {
                idle.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(reader);
            }
            result
        })
        .await
        .map_err(|e| {
            self.shared
                .read_failed(&format!("the read ended early: {e}"))
        })?;
        result.map_err(|fault| match fault {
            Fault::Gone { oldest, newest } => Shared::gone(oldest, newest),
            other => self.shared.read_failed(&other),
        })
    }

    /// Waits for the reads that run, refuses more and closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.turns.acquire_many(READERS).await {
            all.forget();
        }
        self.turns.close();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn connect(path: &Path, ceiling: u64) -> Result<Reader, Fault> {
    Reader::new(open::reader(path)?, ceiling)
}
