//! Pi-hole 5: `/admin/api.php`, whose refusals are HTTP 200.

use std::sync::{Mutex, PoisonError};

use schemas::time::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    number::{real, rounded, whole},
    reply::Reply,
    world::{
        World,
        dns::{self, Dns, Reading},
    },
};

/// Whether it blocks.
#[derive(Clone, Copy)]
enum Blocking {
    On,
    /// Until then; without a time for good.
    Off(Option<Timestamp>),
}

/// A Pi-hole 5.
pub(crate) struct PiholeV5 {
    world: World,
    dns: Dns,
    token: String,
    blocking: Mutex<Blocking>,
}

/// The API token of a password: its SHA-256, twice.
pub(crate) fn token(password: &str) -> String {
    let hex = |text: &str| -> String {
        Sha256::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    hex(&hex(password))
}

impl PiholeV5 {
    /// One with a password.
    pub(crate) fn new(world: World, password: &str) -> Self {
        Self {
            world,
            dns: Dns::new("dns1", 0.62),
            token: token(password),
            blocking: Mutex::new(Blocking::On),
        }
    }

    fn status(&self, now: Timestamp) -> &'static str {
        let mut blocking = self.blocking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Blocking::Off(Some(until)) = *blocking
            && until <= now
        {
            *blocking = Blocking::On;
        }
        match *blocking {
            Blocking::On => "enabled",
            Blocking::Off(_) => "disabled",
        }
    }

    fn switch(&self, to: Blocking) {
        *self.blocking.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    fn summary(&self, reading: &Reading, now: Timestamp) -> Value {
        let age = now.as_millis() / 1000 - reading.listed_at;
        let of = |share: f64| whole(real(reading.total) * share);
        json!({
            "domains_being_blocked": reading.listed,
            "dns_queries_today": reading.total,
            "ads_blocked_today": reading.blocked,
            "ads_percentage_today": rounded(percent(reading.blocked, reading.total), 6),
            "unique_domains": reading.unique_domains,
            "queries_forwarded": reading.forwarded,
            "queries_cached": reading.cached,
            "clients_ever_seen": reading.clients_total,
            "unique_clients": reading.clients_active,
            "dns_queries_all_types": reading.total,
            "reply_UNKNOWN": of(0.01),
            "reply_NODATA": of(0.06),
            "reply_NXDOMAIN": of(0.05),
            "reply_CNAME": of(0.21),
            "reply_IP": of(0.55),
            "privacy_level": 0,
            "status": self.status(now),
            "gravity_last_updated": {
                "file_exists": true,
                "absolute": reading.listed_at,
                "relative": {
                    "days": age / 86_400,
                    "hours": age / 3600 % 24,
                    "minutes": age / 60 % 60,
                }
            }
        })
    }
}

fn percent(part: i64, all: i64) -> f64 {
    if all == 0 {
        0.0
    } else {
        real(part) / real(all) * 100.0
    }
}

/// `136708` as `136,708`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The numbers of a summary as the page shows them.
fn formatted(summary: &Value) -> Map<String, Value> {
    summary
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = match value.as_i64() {
                Some(number) => json!(grouped(number)),
                None if value.is_f64() => json!(format!("{:.1}", value.as_f64().unwrap_or(0.0))),
                None => value.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}

fn shares<'a>(list: impl Iterator<Item = (String, f64)> + 'a, all: i64, most: usize) -> Value {
    list.take(most)
        .map(|(name, share)| (name, json!(whole(real(all) * share))))
        .collect::<Map<_, _>>()
        .into()
}

impl Service for PiholeV5 {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        if call.path != "/admin/api.php" {
            return Reply::page(
                404,
                "text/html",
                "<html><body>404 - Not Found</body></html>",
            );
        }
        let known = call.query_param("auth") == Some(&self.token);
        let mut answer = Map::new();
        let reading = self.dns.read(&self.world, now);
        if call.asks("type") && call.asks("version") {
            answer.insert("type".to_owned(), json!("FTL"));
            answer.insert("version".to_owned(), json!(3));
        }
        if call.asks("versions") {
            answer.extend(versions());
        }
        let wants = [
            "summary",
            "summaryRaw",
            "topItems",
            "topClients",
            "getQueryTypes",
            "getForwardDestinations",
            "overTimeData10mins",
            "recentBlocked",
            "status",
            "enable",
            "disable",
        ]
        .into_iter()
        .filter(|key| call.asks(key));
        for want in wants {
            if !known {
                if matches!(want, "enable" | "disable") {
                    return Reply::page(200, "application/json", "Not authorized!");
                }
                continue;
            }
            let most = |fallback| {
                let count = call.query_param(want).and_then(|count| count.parse().ok());
                count.filter(|count| *count > 0).unwrap_or(fallback)
            };
            let mut put = |key: &str, value: Value| {
                answer.insert(key.to_owned(), value);
            };
            match want {
                "summaryRaw" => {
                    if let Value::Object(summary) = self.summary(&reading, now) {
                        answer.extend(summary);
                    }
                }
                "summary" => answer.extend(formatted(&self.summary(&reading, now))),
                "topItems" => {
                    let names = |list: &[(&str, f64)]| {
                        let list: Vec<_> =
                            list.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect();
                        list.into_iter()
                    };
                    put(
                        "top_queries",
                        shares(names(dns::DOMAINS), reading.total, most(10)),
                    );
                    put(
                        "top_ads",
                        shares(names(dns::BLOCKED), reading.blocked, most(10)),
                    );
                }
                "topClients" => {
                    let clients = dns::CLIENTS.iter().map(|(address, name, share)| {
                        let key = if name.is_empty() {
                            (*address).to_owned()
                        } else {
                            format!("{name}|{address}")
                        };
                        (key, *share)
                    });
                    put("top_sources", shares(clients, reading.total, most(10)));
                }
                "getQueryTypes" => put(
                    "querytypes",
                    json!({
                        "A (IPv4)": 61.2, "AAAA (IPv6)": 22.9, "ANY": 0, "SRV": 0.3, "SOA": 0.1,
                        "PTR": 3.1, "TXT": 0.2, "NAPTR": 0, "MX": 0, "DS": 0, "RRSIG": 0,
                        "DNSKEY": 0, "NS": 0, "OTHER": 0, "SVCB": 0.1, "HTTPS": 12.1
                    }),
                ),
                "getForwardDestinations" => put(
                    "forward_destinations",
                    json!({
                        "blocklist|blocklist": rounded(percent(reading.blocked, reading.total), 2),
                        "cache|cache": rounded(percent(reading.cached, reading.total), 2),
                        "one.one.one.one#53|1.1.1.1#53": rounded(percent(reading.forwarded, reading.total) * 0.7, 2),
                        "dns.quad9.net#53|9.9.9.9#53": rounded(percent(reading.forwarded, reading.total) * 0.3, 2),
                    }),
                ),
                "overTimeData10mins" => {
                    let history = self.dns.history(&self.world, now);
                    let over = |of: fn(&dns::Bucket) -> i64| -> Value {
                        let buckets = history.iter();
                        buckets
                            .map(|bucket| (bucket.at_seconds.to_string(), json!(of(bucket))))
                            .collect::<Map<_, _>>()
                            .into()
                    };
                    put("domains_over_time", over(|bucket| bucket.total));
                    put("ads_over_time", over(|bucket| bucket.blocked));
                }
                "recentBlocked" => {
                    let newest = dns::BLOCKED.first().map_or("", |(name, _)| name);
                    return Reply::text(200, newest);
                }
                "status" => put("status", json!(self.status(now))),
                "enable" => {
                    self.switch(Blocking::On);
                    put("status", json!("enabled"));
                }
                "disable" => {
                    let seconds = call
                        .query_param("disable")
                        .and_then(|s| s.parse::<i64>().ok());
                    let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
                    self.switch(Blocking::Off(seconds.map(|s| now.plus_millis(s * 1000))));
                    put("status", json!("disabled"));
                }
                _ => {}
            }
        }
        // nothing that it may tell is an empty list
        if answer.is_empty() {
            return Reply::page(200, "application/json", "[]");
        }
        Reply::json(200, &Value::Object(answer))
    }

    fn knows(&self, fault: FaultKind) -> bool {
        fault != FaultKind::ExpiredSession
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        None
    }

    fn blocked(&self, _call: &Call) -> Reply {
        Reply::page(200, "application/json", "[]")
    }
}

fn versions() -> Map<String, Value> {
    let mut map = Map::new();
    for (part, current, latest) in [
        ("core", "v5.17.1", "v5.18.3"),
        ("web", "v5.20.1", "v5.21"),
        ("FTL", "v5.23", "v5.23"),
    ] {
        map.insert(format!("{part}_update"), json!(current != latest));
        map.insert(format!("{part}_current"), json!(current));
        map.insert(format!("{part}_latest"), json!(latest));
        map.insert(format!("{part}_branch"), json!("master"));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_770_000_000_000);

    fn pihole() -> PiholeV5 {
        PiholeV5::new(World::new(1, 0), "pw")
    }

    #[test]
    fn who_has_no_token_gets_an_empty_list() {
        let pihole = pihole();
        let ask = |query: &str| pihole.answer(&Call::get(&format!("/admin/api.php?{query}")), NOW);
        assert_eq!(ask("summaryRaw").said(), "[]");
        assert_eq!(ask("summaryRaw&auth=wrong").said(), "[]");
        assert_eq!(ask("disable=60&auth=wrong").said(), "Not authorized!");
        assert_eq!(
            ask("type&version").value(),
            json!({"type": "FTL", "version": 3})
        );
    }

    #[test]
    fn the_summary_has_numbers_and_its_other_form_has_text() {
        let pihole = pihole();
        let auth = token("pw");
        let ask = |query: &str| {
            let call = Call::get(&format!("/admin/api.php?{query}&auth={auth}"));
            pihole.answer(&call, NOW).value()
        };
        let raw = ask("summaryRaw&topItems=2");
        let total = raw["dns_queries_today"].as_i64().unwrap();
        assert_eq!(ask("summary")["dns_queries_today"], grouped(total));
        assert_eq!(raw["top_ads"].as_object().unwrap().len(), 2);
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(ask("disable=60")["status"], "disabled");
        assert_eq!(ask("status")["status"], "disabled");
        assert_eq!(pihole.status(NOW.plus_millis(60_000)), "enabled");
    }
}
