//! How fast one user, or one address without a user, may ask.

use std::{net::IpAddr, num::NonZeroU32};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};

use crate::{ApiError, App, auth::Caller, guard::Client};

/// Keys that are kept before those are dropped that have not asked in a while.
const MAX_KEYS: usize = 1_024;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    User(String),
    Address(Option<IpAddr>),
}

/// One bucket for each user and address.
#[derive(Debug)]
pub(crate) struct RateLimit(DefaultKeyedRateLimiter<Key>);

impl RateLimit {
    pub(crate) fn new(per_second: u32) -> Self {
        let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self(DefaultKeyedRateLimiter::keyed(
            Quota::per_second(rate).allow_burst(rate.saturating_add(per_second)),
        ))
    }

    fn check(&self, key: &Key) -> Result<(), ApiError> {
        if self.0.len() > MAX_KEYS {
            self.0.retain_recent();
        }
        self.0.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(governor::clock::DefaultClock::default().now());
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "too many requests: slow down",
            )
            .with_retry_after(wait.as_secs() + 1)
        })
    }
}

/// Refuses requests that come too fast.
pub(crate) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let key = match extensions.get::<Caller>() {
        // agents do not share what their maker may ask
        Some(caller) => Key::User(match &caller.agent {
            Some(agent) => format!("agent/{agent}"),
            None => caller.username.clone(),
        }),
        None => Key::Address(extensions.get::<Client>().map(|client| client.address)),
    };
    match app.rate.check(&key) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let limit = RateLimit::new(10);
        let ann = Key::User("ann".into());
        let passed = (0..100).filter(|_| limit.check(&ann).is_ok()).count();
        assert!((20..30).contains(&passed), "{passed} passed");
        assert!(limit.check(&Key::User("bob".into())).is_ok());
        let refused = limit.check(&ann).unwrap_err().into_response();
        assert_eq!(refused.headers()["retry-after"], "1");
    }
}
