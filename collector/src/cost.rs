//! What a source costs the service that it watches.
//!
//! Requests are counted where they are sent, for the source whose task sends them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    static REQUESTS: Requests;
}

/// How many requests one source has sent; a handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<AtomicU64>);

impl Requests {
    /// Runs what a source does, so that its requests count here.
    pub(crate) async fn count<T>(&self, source: impl Future<Output = T>) -> T {
        REQUESTS.scope(self.clone(), source).await
    }

    /// How many were sent since the start.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One more request is sent.
pub(crate) fn request() {
    // nobody counts where no source runs, as in `homelog check`
    REQUESTS
        .try_with(|requests| requests.0.fetch_add(1, Ordering::Relaxed))
        .ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_count_for_the_source_that_sends_them() {
        let (one, other) = (Requests::default(), Requests::default());
        tokio::join!(
            one.count(async {
                request();
                tokio::task::yield_now().await;
                request();
            }),
            other.count(async { request() }),
        );
        request();
        assert_eq!((one.total(), other.total()), (2, 1));
    }
}
