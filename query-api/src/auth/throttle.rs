use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Who failed: bounds both guessing one account from everywhere and many accounts from one place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// One account from one network.
    Pair(String, IpAddr),
    /// One account from anywhere. Its delay stays short, or anybody could lock anybody out.
    Account(String),
    /// One network.
    Network(IpAddr),
    /// Everybody for whom there was no room.
    Others,
}

impl Key {
    /// Attempts without delay, and the longest delay.
    fn rule(&self) -> (u32, Duration) {
        match self {
            Self::Pair(..) => (5, Duration::from_mins(15)),
            Self::Account(_) => (20, Duration::from_secs(30)),
            Self::Network(_) => (20, Duration::from_mins(15)),
            Self::Others => (100, Duration::from_secs(30)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    until: Instant,
}

/// Failures are forgotten after this long without one.
const FORGET: Duration = Duration::from_hours(1);
/// Longest name that is told apart, in characters.
const MAX_ACCOUNT: usize = 64;
/// Most keys that are kept.
const MAX_KEYS: usize = 4096;

/// Delays that double with each failed attempt.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<Key, Failures>>);

impl Throttle {
    /// Begins an attempt, which counts as failed until [`Throttle::succeeded`], so that many at once count too.
    ///
    /// # Errors
    /// The seconds to wait.
    pub(super) fn begin(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), u64> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(account, address);
        let wait = keys
            .iter()
            .filter_map(|key| failures.get(key))
            .filter(|found| now.duration_since(found.last) < FORGET)
            .map(|found| found.until.saturating_duration_since(now))
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait.as_secs() + 1);
        }
        for key in keys {
            note(&mut failures, key, now);
        }
        Ok(())
    }

    /// Forgets the failures of an account; those of the network stay, or who has one account could guess others for ever.
    pub(super) fn succeeded(&self, account: &str, address: IpAddr) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [pair, any, network] = keys(account, address);
        failures.remove(&pair);
        failures.remove(&any);
        if let Some(found) = failures.get_mut(&network) {
            found.count = found.count.saturating_sub(1);
        }
    }
}

fn keys(account: &str, address: IpAddr) -> [Key; 3] {
    // longer than any name is no name, and would only cost memory
    let account: String = account
        .chars()
        .take(MAX_ACCOUNT)
        .flat_map(char::to_lowercase)
        .collect();
    let network = network(address);
    [
        Key::Pair(account.clone(), network),
        Key::Account(account),
        Key::Network(network),
    ]
}

/// A household has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn note(failures: &mut HashMap<Key, Failures>, key: Key, now: Instant) {
    if failures.len() >= MAX_KEYS && !failures.contains_key(&key) {
        failures.retain(|_, found| now.duration_since(found.last) < FORGET);
    }
    let key = if failures.len() >= MAX_KEYS && !failures.contains_key(&key) {
        Key::Others
    } else {
        key
    };
    let (free, longest) = key.rule();
    let found = failures.entry(key).or_insert(Failures {
        count: 0,
        last: now,
        until: now,
    });
    if now.duration_since(found.last) >= FORGET {
        found.count = 0;
    }
    found.count = found.count.saturating_add(1);
    found.last = now;
    let doublings = found.count.saturating_sub(free).min(16);
    found.until = if found.count < free {
        now
    } else {
        now + Duration::from_secs(1 << doublings).min(longest)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 2));

    fn elsewhere(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[test]
    fn delays_begin_after_some_failures_double_and_are_bounded() {
        let throttle = Throttle::default();
        let mut now = Instant::now();
        for _ in 0..5 {
            assert_eq!(throttle.begin("ada", HERE, now), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..14 {
            let wait = throttle.begin("ada", HERE, now).unwrap_err();
            waits.push(wait);
            now += Duration::from_secs(wait);
            assert_eq!(throttle.begin("ada", HERE, now), Ok(()), "after the wait");
        }
        assert_eq!(waits[..4], [2, 3, 5, 9]);
        assert_eq!(waits.last(), Some(&901));
        assert_eq!(
            throttle.begin("ada", HERE, now + FORGET),
            Ok(()),
            "forgotten"
        );
    }

    #[test]
    fn a_success_clears_the_account() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..40 {
            assert_eq!(throttle.begin("ada", HERE, now), Ok(()));
            throttle.succeeded("ada", HERE);
        }
    }

    #[test]
    fn one_account_from_everywhere_waits_but_not_long() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..20 {
            assert_eq!(throttle.begin("Ada", elsewhere(n), now), Ok(()));
        }
        let wait = throttle.begin("ada", HERE, now).unwrap_err();
        assert!(wait <= 31, "{wait}");
        assert_eq!(
            throttle.begin("bob", HERE, now),
            Ok(()),
            "others are not concerned"
        );
    }

    #[test]
    fn one_network_cannot_try_every_account() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let address = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
        let tried = (0..100_u16)
            .filter(|n| {
                throttle
                    .begin(&format!("user{n}"), address(*n), now)
                    .is_ok()
            })
            .count();
        assert_eq!(tried, 20);
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..20_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            let name = format!("u{n}{}", "x".repeat(10_000));
            let _outcome = throttle.begin(&name, address, now);
        }
        for key in throttle.0.lock().unwrap().keys() {
            if let Key::Pair(name, _) | Key::Account(name) = key {
                assert!(name.len() <= 64);
            }
        }
        assert!(throttle.0.lock().unwrap().len() <= MAX_KEYS + 1);
        assert!(
            throttle.begin("new", elsewhere(1), now).is_ok(),
            "nobody is locked out for good"
        );
    }
}
