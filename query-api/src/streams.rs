//! How many live streams there are, in total and of one user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;

use crate::ApiError;

/// Counts open streams by user.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Mutex<HashMap<String, usize>>,
    max: usize,
    max_per_user: usize,
}

/// One open stream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    streams: Arc<Streams>,
    user: String,
}

impl Streams {
    pub(crate) fn new(max: usize, max_per_user: usize) -> Self {
        Self {
            open: Mutex::default(),
            max,
            max_per_user,
        }
    }

    /// Takes a place for a stream of a user.
    ///
    /// # Errors
    /// 429 if the user, 503 if everybody together has too many.
    pub(crate) fn open(self: &Arc<Self>, user: &str) -> Result<StreamPlace, ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= self.max {
            return Err(ApiError::unavailable(
                "too_many_streams",
                format!(
                    "{} live streams are open, which is the limit: try again later",
                    self.max
                ),
                30,
            ));
        }
        let own = open.entry(user.to_owned()).or_default();
        if *own >= self.max_per_user {
            return Err(ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                format!(
                    "you have {} live streams open, which is the limit: close one",
                    self.max_per_user
                ),
            )
            .with_retry_after(30));
        }
        *own += 1;
        Ok(StreamPlace {
            streams: Arc::clone(self),
            user: user.to_owned(),
        })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self
            .streams
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let streams = Arc::new(Streams::new(3, 2));
        let first = streams.open("ann").unwrap();
        let _second = streams.open("ann").unwrap();
        assert_eq!(
            streams.open("ann").unwrap_err().status(),
            StatusCode::TOO_MANY_REQUESTS
        );
        let _third = streams.open("bob").unwrap();
        assert_eq!(
            streams.open("bob").unwrap_err().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        drop(first);
        assert!(streams.open("bob").is_ok());
        assert_eq!(streams.open.lock().unwrap().len(), 2);
    }
}
