//! Sessions of a service, and who failed to open one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use base64::Engine as _;
use schemas::time::Timestamp;

use crate::world::chance;

/// More sessions than this replace the oldest, where a service has no limit of its own.
const MOST: usize = 1000;

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// The token against forged requests.
    pub(crate) csrf: String,
    pub(crate) opened: Timestamp,
    pub(crate) used: Timestamp,
}

struct State {
    sessions: HashMap<String, Session>,
    opened: i64,
}

/// The sessions of a service.
pub(crate) struct Sessions {
    seed: u64,
    name: &'static str,
    idle_millis: i64,
    shape: Shape,
    state: Mutex<State>,
}

/// How a service writes the id of a session.
pub(crate) type Shape = fn(u64, u64) -> String;

/// Hexadecimal digits.
pub(crate) fn hexadecimal(high: u64, low: u64) -> String {
    format!("{high:016x}{low:016x}")
}

/// Base64, with its `+`, `/` and `=`.
pub(crate) fn base64(high: u64, low: u64) -> String {
    let bytes: Vec<_> = high
        .to_be_bytes()
        .into_iter()
        .chain(low.to_be_bytes())
        .collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl Sessions {
    /// None yet; one ends after so long without use.
    pub(crate) fn new(seed: u64, name: &'static str, idle_seconds: i64, shape: Shape) -> Self {
        Self {
            seed,
            name,
            idle_millis: idle_seconds * 1000,
            shape,
            state: Mutex::new(State {
                sessions: HashMap::new(),
                opened: 0,
            }),
        }
    }

    fn text(&self, what: &str, n: i64) -> String {
        let key = format!("{}/{what}", self.name);
        (self.shape)(
            chance::hash(self.seed, &key, 2 * n),
            chance::hash(self.seed, &key, 2 * n + 1),
        )
    }

    fn with<T>(&self, now: Timestamp, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .sessions
            .retain(|_, session| now.since(session.used) < self.idle_millis);
        work(&mut state)
    }

    /// Opens one; absent if all seats are taken.
    pub(crate) fn open(&self, now: Timestamp, seats: Option<usize>) -> Option<Session> {
        self.with(now, |state| {
            if seats.is_some_and(|seats| state.sessions.len() >= seats) {
                return None;
            }
            if state.sessions.len() >= MOST
                && let Some(oldest) = state.sessions.values().min_by_key(|s| s.used)
            {
                let oldest = oldest.id.clone();
                state.sessions.remove(&oldest);
            }
            state.opened += 1;
            let session = Session {
                id: self.text("sid", state.opened),
                csrf: self.text("csrf", state.opened),
                opened: now,
                used: now,
            };
            state.sessions.insert(session.id.clone(), session.clone());
            Some(session)
        })
    }

    /// Uses one, which keeps it.
    pub(crate) fn take(&self, id: &str, now: Timestamp) -> Option<Session> {
        self.with(now, |state| {
            let session = state.sessions.get_mut(id)?;
            session.used = now;
            Some(session.clone())
        })
    }

    /// Ends one; whether it was there.
    pub(crate) fn close(&self, id: &str, now: Timestamp) -> bool {
        self.with(now, |state| state.sessions.remove(id).is_some())
    }

    /// Ends all.
    pub(crate) fn expire(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sessions.clear();
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self, now: Timestamp) -> Vec<Session> {
        self.with(now, |state| {
            let mut all: Vec<_> = state.sessions.values().cloned().collect();
            all.sort_by_key(|session| session.opened);
            all
        })
    }
}

/// Who gave a wrong password how often lately.
pub(crate) struct Failures {
    most: usize,
    window_millis: i64,
    failed: Mutex<HashMap<IpAddr, Vec<Timestamp>>>,
}

impl Failures {
    /// An address is blocked after so many failures in so many seconds.
    pub(crate) fn new(most: usize, window_seconds: i64) -> Self {
        Self {
            most,
            window_millis: window_seconds * 1000,
            failed: Mutex::new(HashMap::new()),
        }
    }

    /// Whether an address is blocked.
    pub(crate) fn blocks(&self, peer: IpAddr, now: Timestamp) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, times| {
            times.retain(|at| now.since(*at) < self.window_millis);
            !times.is_empty()
        });
        failed
            .get(&peer)
            .is_some_and(|times| times.len() >= self.most)
    }

    /// Another failure.
    pub(crate) fn count(&self, peer: IpAddr, now: Timestamp) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = failed.entry(peer).or_default();
        if times.len() < self.most {
            times.push(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_770_000_000_000 + second * 1000)
    }

    #[test]
    fn a_session_lives_while_it_is_used() {
        let sessions = Sessions::new(1, "nas1", 900, hexadecimal);
        let one = sessions.open(at(0), None).unwrap();
        let two = sessions.open(at(0), None).unwrap();
        assert_ne!(one.id, two.id);
        assert!(sessions.take(&one.id, at(800)).is_some());
        assert!(sessions.take(&one.id, at(1600)).is_some());
        assert!(sessions.take(&two.id, at(1600)).is_none());
        assert!(sessions.close(&one.id, at(1601)) && !sessions.close(&one.id, at(1602)));
    }

    #[test]
    fn seats_are_limited() {
        let sessions = Sessions::new(1, "dns", 1800, base64);
        for n in 0..16 {
            assert!(sessions.open(at(n), Some(16)).is_some());
        }
        assert!(sessions.open(at(20), Some(16)).is_none());
        // the first is idle for long enough
        assert!(sessions.open(at(1800), Some(16)).is_some());
    }

    #[test]
    fn who_fails_often_is_blocked_for_a_while() {
        let failures = Failures::new(3, 60);
        let peer = IpAddr::from([192, 0, 2, 1]);
        for second in 0..3 {
            assert!(!failures.blocks(peer, at(second)));
            failures.count(peer, at(second));
        }
        assert!(failures.blocks(peer, at(4)));
        assert!(!failures.blocks(IpAddr::from([192, 0, 2, 2]), at(4)));
        assert!(!failures.blocks(peer, at(61)));
    }
}
