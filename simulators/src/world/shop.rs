//! A small service somebody wrote: a shop with an HTTP API.

use schemas::time::Timestamp;

use super::{World, containers::Engine, wave::Wave};
use crate::number::{real, rounded, whole};

/// Upper bounds of the histogram of durations, in seconds.
pub(crate) const BOUNDS: &[(f64, f64)] = &[
    (0.005, 0.18),
    (0.01, 0.41),
    (0.025, 0.72),
    (0.1, 0.93),
    (0.5, 0.99),
    (2.5, 0.999),
];

/// Requests of one kind.
pub(crate) struct Requests {
    pub(crate) method: &'static str,
    pub(crate) status: i64,
    pub(crate) count: i64,
}

/// It at an instant; counters since its start.
pub(crate) struct Reading {
    pub(crate) started: Timestamp,
    pub(crate) requests: Vec<Requests>,
    /// How many of them were answered within each of [`BOUNDS`], then all.
    pub(crate) within: Vec<i64>,
    pub(crate) seconds: f64,
    pub(crate) open_orders: i64,
    pub(crate) cpu_seconds: f64,
    pub(crate) memory: i64,
    /// Name, waiting and done messages.
    pub(crate) queues: Vec<(&'static str, i64, i64)>,
    pub(crate) celsius: f64,
}

/// How it is; absent while its container does not run.
pub(crate) fn read(world: &World, at: Timestamp) -> Option<Reading> {
    let engine = Engine::new();
    let container = engine.containers.iter().find(|c| c.name == "shop-api-1")?;
    let usage = Engine::usage(world, container, at)?;
    let started = Engine::life(world, container, at).started;
    let served = |share: f64| {
        let wave = world.wave("shop/requests", 3.1 * share, 0.5, 0.2);
        whole(world.total(&wave, started, at).max(0.0))
    };
    let requests: Vec<_> = [
        ("GET", 200, 0.86),
        ("POST", 201, 0.1),
        ("GET", 404, 0.035),
        ("GET", 500, 0.005),
    ]
    .into_iter()
    .map(|(method, status, share)| Requests {
        method,
        status,
        count: served(share),
    })
    .collect();
    let all: i64 = requests.iter().map(|r| r.count).sum();
    let mut within: Vec<_> = BOUNDS
        .iter()
        .map(|(_, share)| whole(real(all) * share))
        .collect();
    within.push(all);
    let level = |wave: &Wave| world.level(wave, at);
    let orders = level(&world.wave("shop/orders", 37.0, 0.4, 0.3));
    Some(Reading {
        started,
        within,
        seconds: rounded(real(all) * 0.031, 3),
        requests,
        open_orders: whole(orders),
        cpu_seconds: rounded(real(usage.cpu_nanos) / 1e9, 2),
        memory: usage.memory,
        queues: vec![
            ("mail", whole(orders / 9.0), served(0.1)),
            ("thumbnails", whole(orders / 4.0), served(0.3)),
        ],
        celsius: rounded(level(&world.wave("climate/rack", 24.0, 0.04, 0.02)), 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let world = World::new(8, 0);
        let reading = read(&world, Timestamp::from_millis(1_770_033_600_000)).unwrap();
        assert!(reading.within.is_sorted());
        let all: i64 = reading.requests.iter().map(|r| r.count).sum();
        assert_eq!(reading.within.last(), Some(&all));
    }
}
