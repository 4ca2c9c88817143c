//! What may go wrong on demand, and how often.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::world::chance;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// The answer takes seconds.
    Slow,
    /// The service fails: 500.
    ServerError,
    /// No answer comes.
    Timeout,
    /// The connection ends in the middle of the answer.
    HalfAnswer,
    /// Something else than an answer.
    Garbage,
    /// Every session has ended.
    ExpiredSession,
    /// A certificate of somebody else, where TLS is spoken.
    WrongCertificate,
    /// Too many requests.
    RateLimit,
    /// The account, or the address of who asks, is blocked.
    BlockedAccount,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Slow,
        Self::ServerError,
        Self::Timeout,
        Self::HalfAnswer,
        Self::Garbage,
        Self::ExpiredSession,
        Self::WrongCertificate,
        Self::RateLimit,
        Self::BlockedAccount,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::HalfAnswer => "half_answer",
            Self::Garbage => "garbage",
            Self::ExpiredSession => "expired_session",
            Self::WrongCertificate => "wrong_certificate",
            Self::RateLimit => "rate_limit",
            Self::BlockedAccount => "blocked_account",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "there is no such fault; write one of {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}

/// A fault and the share of requests that it hits, as the command line has it: `slow=0.05`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FaultRate {
    /// Which one.
    pub kind: FaultKind,
    /// 0 to 1.
    pub rate: f64,
}

impl FromStr for FaultRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rate) = text
            .split_once('=')
            .ok_or_else(|| "write KIND=RATE, such as `slow=0.05`".to_owned())?;
        let kind = kind.parse()?;
        let rate = rate
            .parse()
            .ok()
            .filter(|rate| (0.0..=1.0).contains(rate))
            .ok_or_else(|| "the rate is a number from 0 to 1".to_owned())?;
        Ok(Self { kind, rate })
    }
}

struct Active {
    kind: FaultKind,
    rate: f64,
    /// How many more times; absent: for ever.
    left: Option<u64>,
}

struct State {
    active: Vec<Active>,
    rolled: i64,
}

/// The faults of one service.
pub(crate) struct Faults {
    seed: u64,
    name: String,
    state: Mutex<State>,
}

impl Faults {
    /// Those that are on from the beginning.
    pub(crate) fn new(seed: u64, name: &str, rates: impl IntoIterator<Item = FaultRate>) -> Self {
        let active = rates
            .into_iter()
            .map(|FaultRate { kind, rate }| Active {
                kind,
                rate,
                left: None,
            })
            .collect();
        Self {
            seed,
            name: name.to_owned(),
            state: Mutex::new(State { active, rolled: 0 }),
        }
    }

    /// From now on a fault hits this share of requests, at most so many times.
    pub(crate) fn set(&self, kind: FaultKind, rate: f64, left: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.active.retain(|active| active.kind != kind);
        if rate > 0.0 {
            state.active.push(Active { kind, rate, left });
        }
    }

    /// Whether a fault may hit.
    pub(crate) fn is_on(&self, kind: FaultKind) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.active.iter().any(|active| active.kind == kind)
    }

    /// All is well from now on.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.active.clear();
    }

    /// What hits the next request, if anything.
    pub(crate) fn next(&self) -> Option<FaultKind> {
        self.roll(|kind| kind != FaultKind::WrongCertificate)
    }

    /// Whether the next connection gets a wrong certificate.
    pub(crate) fn wrong_certificate(&self) -> bool {
        self.roll(|kind| kind == FaultKind::WrongCertificate)
            .is_some()
    }

    fn roll(&self, among: impl Fn(FaultKind) -> bool) -> Option<FaultKind> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rolled += 1;
        let mut point = chance::unit(self.seed, &self.name, state.rolled);
        let hit = state
            .active
            .iter_mut()
            .filter(|active| among(active.kind))
            .find(|active| {
                let hit = point < active.rate;
                point -= active.rate;
                hit
            })?;
        let kind = hit.kind;
        if let Some(left) = &mut hit.left {
            *left -= 1;
        }
        state.active.retain(|active| active.left != Some(0));
        Some(kind)
    }

    /// What is on.
    pub(crate) fn told(&self) -> Value {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let active = state.active.iter();
        active
            .map(|active| json!({"kind": active.kind.as_str(), "rate": active.rate, "count": active.left}))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let slow = FaultRate {
            kind: FaultKind::Slow,
            rate: 0.05,
        };
        assert_eq!("slow=0.05".parse(), Ok(slow));
        for bad in ["slow", "slow=", "slow=2", "slow=-1", "slow=NaN", "fast=0.1"] {
            assert!(bad.parse::<FaultRate>().is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn faults_hit_as_often_as_asked_and_so_many_times() {
        let rates = ["garbage=0.2", "slow=0.1"].map(|rate| rate.parse().unwrap());
        let faults = Faults::new(1, "nas1", rates);
        let hits: Vec<_> = (0..10_000).filter_map(|_| faults.next()).collect();
        let garbage = hits.iter().filter(|k| **k == FaultKind::Garbage).count();
        assert!((1800..2200).contains(&garbage), "{garbage}");
        assert!((2800..3200).contains(&hits.len()), "{}", hits.len());

        faults.clear();
        assert_eq!(faults.next(), None);
        faults.set(FaultKind::Timeout, 1.0, Some(2));
        let hits: Vec<_> = (0..5).map(|_| faults.next()).collect();
        assert_eq!(hits.iter().flatten().count(), 2);
    }
}
