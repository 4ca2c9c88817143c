//! A DNS server that blocks: what it was asked in the last 24 hours.

use schemas::time::Timestamp;

use super::World;
use crate::number::{real, rounded, whole};

/// Milliseconds of the window that the server looks at.
const WINDOW: i64 = 24 * 3600 * 1000;

/// What is asked for most, with the share of all queries.
pub(crate) const DOMAINS: &[(&str, f64)] = &[
    ("connectivitycheck.gstatic.com", 0.061),
    ("time.cloudflare.com", 0.043),
    ("api.github.com", 0.031),
    ("nas1.home.arpa", 0.027),
    ("www.netflix.com", 0.022),
    ("play.googleapis.com", 0.018),
    ("mqtt.home.arpa", 0.015),
    ("outlook.office365.com", 0.012),
    ("deb.debian.org", 0.008),
    ("en.wikipedia.org", 0.006),
];

/// What is blocked most, with the share of what is blocked.
pub(crate) const BLOCKED: &[(&str, f64)] = &[
    ("app-measurement.com", 0.19),
    ("telemetry.example-tv.net", 0.15),
    ("ads.doubleclick.net", 0.11),
    ("graph.facebook.com", 0.07),
    ("metrics.icloud.com", 0.05),
];

/// Who asks: address, name, share.
pub(crate) const CLIENTS: &[(&str, &str, f64)] = &[
    ("192.168.1.50", "laptop.home.arpa", 0.27),
    ("192.168.1.61", "phone.home.arpa", 0.21),
    ("192.168.1.70", "tv.home.arpa", 0.17),
    ("192.168.1.20", "docker1.home.arpa", 0.13),
    ("192.168.1.62", "", 0.09),
    ("192.168.1.10", "nas1.home.arpa", 0.06),
    ("192.168.1.40", "homeassistant.home.arpa", 0.05),
    ("127.0.0.1", "localhost", 0.02),
];

/// One server.
pub(crate) struct Dns {
    name: &'static str,
    per_second: f64,
}

/// What it counts; all of the last 24 hours.
pub(crate) struct Reading {
    pub(crate) total: i64,
    pub(crate) blocked: i64,
    pub(crate) cached: i64,
    pub(crate) forwarded: i64,
    pub(crate) unique_domains: i64,
    pub(crate) clients_active: i64,
    pub(crate) clients_total: i64,
    /// Queries per second now.
    pub(crate) frequency: f64,
    /// Domains on its lists, and when they were fetched.
    pub(crate) listed: i64,
    pub(crate) listed_at: i64,
    pub(crate) uptime_seconds: i64,
}

/// Ten minutes of the past.
pub(crate) struct Bucket {
    pub(crate) at_seconds: i64,
    pub(crate) total: i64,
    pub(crate) blocked: i64,
    pub(crate) cached: i64,
}

impl Dns {
    /// A server of a name that is asked so often.
    pub(crate) const fn new(name: &'static str, per_second: f64) -> Self {
        Self { name, per_second }
    }

    fn asked(&self, world: &World, from: Timestamp, to: Timestamp) -> f64 {
        let wave = world.wave(&format!("{}/queries", self.name), self.per_second, 0.5, 0.2);
        world.total(&wave, from, to)
    }

    fn shares(&self, world: &World, at: Timestamp) -> (f64, f64) {
        let blocked = world.wave(&format!("{}/blocked", self.name), 0.17, 0.1, 0.2);
        let cached = world.wave(&format!("{}/cached", self.name), 0.41, 0.05, 0.1);
        (world.level(&blocked, at), world.level(&cached, at))
    }

    /// What it has counted.
    pub(crate) fn read(&self, world: &World, at: Timestamp) -> Reading {
        let from = at.plus_millis(-WINDOW);
        let total = whole(self.asked(world, from, at));
        let (blocked, cached) = self.shares(world, at);
        let blocked = whole(real(total) * blocked);
        let cached = whole(real(total) * cached);
        let wave = world.wave(&format!("{}/queries", self.name), self.per_second, 0.5, 0.2);
        let frequency = world.level(&wave, at);
        // lists are fetched on Sunday at 03:17, as Pi-hole's own cron job does
        let week = 7.0 * 86_400.0;
        let sunday = 3.0 * 86_400.0 + 3.0 * 3600.0 + 17.0 * 60.0;
        let fetched = ((world.local(at) - sunday) / week).floor();
        Reading {
            total,
            blocked,
            cached,
            forwarded: total - blocked - cached,
            unique_domains: whole(900.0 + real(total) * 0.034),
            clients_active: whole(5.0 + 3.0 * frequency / self.per_second).clamp(1, 8),
            clients_total: 14,
            frequency: rounded(frequency, 6),
            listed: 131_800 + whole(fetched.rem_euclid(40.0)) * 113,
            listed_at: world.instant(fetched * week + sunday).as_millis() / 1000,
            uptime_seconds: at.since(world.started(self.name, 19, at)) / 1000,
        }
    }

    /// The last 24 hours in steps of ten minutes.
    pub(crate) fn history(&self, world: &World, at: Timestamp) -> Vec<Bucket> {
        let step = 600_000;
        let last = at.as_millis() / step;
        (last - 144..=last)
            .map(|n| {
                let from = Timestamp::from_millis(n * step);
                let to = Timestamp::from_millis((n + 1) * step).min(at);
                let total = whole(self.asked(world, from, to));
                let (blocked, cached) = self.shares(world, from);
                Bucket {
                    // Pi-hole names the middle
                    at_seconds: (n * step + step / 2) / 1000,
                    total,
                    blocked: whole(real(total) * blocked),
                    cached: whole(real(total) * cached),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_follows_the_day_and_adds_up() {
        let world = World::new(11, 0);
        let dns = Dns::new("dns", 0.8);
        let at = |hour: i64| {
            Timestamp::from_millis(1_770_000_000_000 / 86_400_000 * 86_400_000 + hour * 3_600_000)
        };
        assert!(dns.read(&world, at(20)).frequency > 1.5 * dns.read(&world, at(4)).frequency);
        let read = dns.read(&world, at(12));
        assert_eq!(read.total, read.blocked + read.cached + read.forwarded);
        let sum: i64 = dns.history(&world, at(12)).iter().map(|b| b.total).sum();
        assert!((sum - read.total).abs() < 1200, "{sum} and {}", read.total);
    }
}
