//! What was asked.

use schemas::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{PiholeV6, failure};
use crate::{
    call::Call,
    number::{real, rounded, whole},
    reply::Reply,
    world::dns::{self, Reading},
};

/// Types of queries and their shares.
const TYPES: &[(&str, f64)] = &[
    ("AAAA", 0.22),
    ("ANY", 0.0),
    ("SRV", 0.003),
    ("SOA", 0.001),
    ("PTR", 0.03),
    ("TXT", 0.002),
    ("NAPTR", 0.0),
    ("MX", 0.0),
    ("DS", 0.0),
    ("RRSIG", 0.0),
    ("DNSKEY", 0.0),
    ("NS", 0.0),
    ("SVCB", 0.001),
    ("HTTPS", 0.12),
    ("OTHER", 0.0),
];

fn part(all: i64, share: f64) -> i64 {
    whole(real(all) * share)
}

fn percent(some: i64, all: i64) -> f64 {
    if all == 0 {
        0.0
    } else {
        real(some) / real(all) * 100.0
    }
}

/// Counts by type; `A` is what the others are not.
fn types(total: i64) -> Value {
    let mut map = Map::new();
    let mut rest = total;
    for (name, share) in TYPES {
        let count = part(total, *share);
        rest -= count;
        map.insert((*name).to_owned(), json!(count));
    }
    map.insert("A".to_owned(), json!(rest));
    Value::Object(map)
}

impl PiholeV6 {
    /// What is below `/api/stats` and `/api/history`; absent if nothing is there.
    pub(super) fn stats(
        &self,
        call: &Call,
        path: &str,
        now: Timestamp,
    ) -> Option<Result<Value, Reply>> {
        let reading = self.dns.read(&self.world, now);
        let count = call
            .query_param("count")
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or(10)
            .min(1000);
        let blocked = call.query_param("blocked") == Some("true");
        let answer = match path {
            "stats/summary" => summary(&reading),
            "stats/top_domains" => domains(&reading, count, blocked),
            "stats/top_clients" => clients(&reading, count, blocked),
            "stats/upstreams" => upstreams(&reading),
            "stats/query_types" => json!({"types": types(reading.total)}),
            "stats/recent_blocked" => {
                let names = dns::BLOCKED.iter().map(|(name, _)| *name);
                json!({"blocked": names.take(count.min(1)).collect::<Vec<_>>()})
            }
            "history" => {
                let history: Vec<_> = self
                    .dns
                    .history(&self.world, now)
                    .iter()
                    .map(|bucket| {
                        json!({
                            "timestamp": bucket.at_seconds,
                            "total": bucket.total,
                            "cached": bucket.cached,
                            "blocked": bucket.blocked,
                            "forwarded": bucket.total - bucket.cached - bucket.blocked
                        })
                    })
                    .collect();
                json!({ "history": history })
            }
            _ => {
                let stored = path.strip_prefix("stats/database/")?;
                let given = |name| {
                    call.query_param(name)
                        .and_then(|time| time.parse::<f64>().ok())
                };
                if given("from").is_none() || given("until").is_none() {
                    let hint = json!("You need to specify \"from\" and \"until\" in the request.");
                    return Some(Err(failure(
                        400,
                        "bad_request",
                        "Missing parameters",
                        Some(&hint),
                    )));
                }
                match stored {
                    "summary" => json!({
                        "sum_queries": reading.total,
                        "sum_blocked": reading.blocked,
                        "percent_blocked": percent(reading.blocked, reading.total),
                        "total_clients": reading.clients_active
                    }),
                    "top_domains" => domains(&reading, count, blocked),
                    "top_clients" => clients(&reading, count, blocked),
                    "query_types" => json!({"types": types(reading.total)}),
                    "upstreams" => upstreams(&reading),
                    _ => return None,
                }
            }
        };
        Some(Ok(answer))
    }
}

fn summary(reading: &Reading) -> Value {
    let total = reading.total;
    let denied = part(reading.blocked, 0.04);
    json!({
        "queries": {
            "total": total,
            "blocked": reading.blocked,
            "percent_blocked": percent(reading.blocked, total),
            "unique_domains": reading.unique_domains,
            "forwarded": reading.forwarded,
            "cached": reading.cached,
            "frequency": reading.frequency,
            "types": types(total),
            "status": {
                "UNKNOWN": 0,
                "GRAVITY": reading.blocked - denied,
                "FORWARDED": reading.forwarded,
                "CACHE": reading.cached,
                "REGEX": 0,
                "DENYLIST": denied,
                "EXTERNAL_BLOCKED_IP": 0,
                "EXTERNAL_BLOCKED_NULL": 0,
                "EXTERNAL_BLOCKED_NXRA": 0,
                "GRAVITY_CNAME": 0,
                "REGEX_CNAME": 0,
                "DENYLIST_CNAME": 0,
                "RETRIED": 0,
                "RETRIED_DNSSEC": 0,
                "IN_PROGRESS": 0,
                "DBBUSY": 0,
                "SPECIAL_DOMAIN": 0,
                "CACHE_STALE": 0,
                "EXTERNAL_BLOCKED_EDE15": 0
            },
            "replies": {
                "UNKNOWN": part(total, 0.01),
                "NODATA": part(total, 0.09),
                "NXDOMAIN": part(total, 0.05),
                "CNAME": part(total, 0.21),
                "IP": part(total, 0.6),
                "DOMAIN": part(total, 0.03),
                "RRNAME": 0,
                "SERVFAIL": part(total, 0.001),
                "REFUSED": 0,
                "NOTIMP": 0,
                "OTHER": 0,
                "DNSSEC": 0,
                "NONE": 0,
                "BLOB": 0
            }
        },
        "clients": {"active": reading.clients_active, "total": reading.clients_total},
        "gravity": {"domains_being_blocked": reading.listed, "last_update": reading.listed_at}
    })
}

fn domains(reading: &Reading, count: usize, blocked: bool) -> Value {
    let (list, all) = if blocked {
        (dns::BLOCKED, reading.blocked)
    } else {
        (dns::DOMAINS, reading.total)
    };
    let domains: Vec<_> = list
        .iter()
        .take(count)
        .map(|(name, share)| json!({"domain": name, "count": part(all, *share)}))
        .collect();
    json!({
        "domains": domains,
        "total_queries": reading.total,
        "blocked_queries": reading.blocked
    })
}

fn clients(reading: &Reading, count: usize, blocked: bool) -> Value {
    let all = if blocked {
        reading.blocked
    } else {
        reading.total
    };
    let clients: Vec<_> = dns::CLIENTS
        .iter()
        .take(count)
        .map(|(ip, name, share)| json!({"name": name, "ip": ip, "count": part(all, *share)}))
        .collect();
    json!({
        "clients": clients,
        "total_queries": reading.total,
        "blocked_queries": reading.blocked
    })
}

fn upstreams(reading: &Reading) -> Value {
    let server = |ip: &str, name: &str, port: i64, count: i64, response: f64| {
        json!({
            "ip": ip,
            "name": name,
            "port": port,
            "count": count,
            // seconds
            "statistics": {"response": rounded(response, 6), "variance": rounded(response / 9.0, 6)}
        })
    };
    let first = part(reading.forwarded, 0.7);
    let slower = 1.0 + reading.frequency / 4.0;
    json!({
        "upstreams": [
            server("cache", "cache", -1, reading.cached, 0.0),
            server("blocklist", "blocklist", -1, reading.blocked, 0.0),
            server("1.1.1.1", "one.one.one.one", 53, first, 0.011 * slower),
            server("9.9.9.9", "dns.quad9.net", 53, reading.forwarded - first, 0.016 * slower),
        ],
        "forwarded_queries": reading.forwarded,
        "total_queries": reading.total
    })
}
