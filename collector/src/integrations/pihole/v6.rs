//! Pi-hole v6: what its resources answer.

use serde_json::Value;

use super::{
    number::{count, number, ratio_of_percent, share},
    reading::{Blocking, MOST_UPSTREAMS, Summary, Tops, Upstream, take_top},
};

/// Whether an answer to `/api/auth` comes from this API.
pub(super) fn is_answer(body: &Value) -> bool {
    body.get("session").is_some_and(Value::is_object)
}

/// Reads `/api/stats/summary`.
pub(super) fn summary(body: &Value) -> Option<Summary> {
    let queries = body.get("queries")?;
    Some(Summary {
        queries: Some(count(queries.get("total"))?),
        blocked: count(queries.get("blocked")),
        blocked_ratio: ratio_of_percent(queries.get("percent_blocked")),
        forwarded: count(queries.get("forwarded")),
        cached: count(queries.get("cached")),
        queries_per_second: number(queries.get("frequency")),
        unique_domains: count(queries.get("unique_domains")),
        clients_active: count(body.pointer("/clients/active")),
        clients_known: count(body.pointer("/clients/total")),
        gravity_domains: count(body.pointer("/gravity/domains_being_blocked")),
        gravity_updated: count(body.pointer("/gravity/last_update")),
        messages: None,
        blocking: Blocking::default(),
    })
}

/// Reads `/api/dns/blocking`.
pub(super) fn blocking(body: &Value) -> Blocking {
    Blocking {
        state: Blocking::state_of(body.get("blocking").and_then(Value::as_str)),
        timer: number(body.get("timer")),
    }
}

/// Reads `/api/stats/upstreams`.
pub(super) fn upstreams(body: &Value) -> Vec<Upstream> {
    let total = count(body.get("total_queries"));
    rows(body, "upstreams")
        .filter_map(|row| {
            let ip = row.get("ip").and_then(Value::as_str)?;
            if !Upstream::is_resolver(ip) {
                return None;
            }
            // -1 or 2^32-1 where it is not known
            let port = count(row.get("port")).filter(|port| (1..=65535).contains(port));
            let queries = count(row.get("count"));
            Some(Upstream {
                address: port.map_or_else(|| ip.to_owned(), |port| format!("{ip}#{port}")),
                name: text(row, "name").to_owned(),
                queries,
                ratio: share(queries, total),
                // zero where it never answered
                response: number(row.pointer("/statistics/response")).filter(|mean| *mean > 0.0),
            })
        })
        .take(MOST_UPSTREAMS)
        .collect()
}

/// Takes in `/api/stats/top_domains`, of which there are two.
pub(super) fn take_domains(tops: &mut Tops, body: &Value, blocked: bool, most: usize) {
    for row in rows(body, "domains").take(most) {
        take_top(
            tops,
            text(row, "domain"),
            "",
            count(row.get("count")),
            blocked,
        );
    }
}

/// Takes in `/api/stats/top_clients`, of which there are two.
pub(super) fn take_clients(tops: &mut Tops, body: &Value, blocked: bool, most: usize) {
    for row in rows(body, "clients").take(most) {
        let (ip, name) = (text(row, "ip"), text(row, "name"));
        take_top(tops, ip, name, count(row.get("count")), blocked);
    }
}

/// Reads `/api/info/version`: that of Pi-hole, and that of its resolver.
pub(super) fn versions(body: &Value) -> (String, String) {
    let of = |part: &str| {
        body.pointer(&format!("/version/{part}/local/version"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (of("core"), of("ftl"))
}

/// Reads `/api/info/messages/count`.
pub(super) fn messages(body: &Value) -> Option<u64> {
    count(body.get("count"))
}

fn rows<'a>(body: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    body.get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_needs_its_count_of_queries() {
        let read = summary(&json!({
            "queries": {"total": 200, "blocked": "50", "percent_blocked": 25.0, "frequency": 1.25, "types": {"A": 1}},
            "clients": {"active": 3, "total": 4}, "gravity": {"domains_being_blocked": -2, "last_update": 0}, "took": 1
        }))
        .unwrap();
        assert_eq!(read.queries, Some(200));
        assert_eq!(read.blocked, Some(50));
        assert_eq!(read.blocked_ratio, Some(0.25));
        assert_eq!(read.clients_active, Some(3));
        assert_eq!(read.gravity_domains, None, "-2 is no count");
        let now = schemas::Timestamp::from_millis(1_795_000_000_000);
        let fields = read.fields(now);
        assert_eq!(fields.get("gravity_age_seconds"), None, "0 is never");
        assert_eq!(fields.get("cached_count"), None);
        for wrong in [
            json!({}),
            json!([]),
            json!({"queries": {"total": null}}),
            json!({"queries": 7}),
        ] {
            assert_eq!(summary(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_age_of_the_lists_is_counted_from_their_update() {
        let read = Summary {
            gravity_updated: Some(1_794_999_000),
            ..Summary::default()
        };
        let at = |millis| read.fields(schemas::Timestamp::from_millis(millis));
        assert_eq!(
            at(1_795_000_000_000).get("gravity_age_seconds"),
            Some(&schemas::FieldValue::I64(1000))
        );
        // a clock that is behind
        assert_eq!(at(1_794_000_000_000).get("gravity_age_seconds"), None);
    }

    #[test]
    fn upstreams_are_the_resolvers_of_the_list() {
        let read = upstreams(&json!({"total_queries": 100, "upstreams": [
            {"ip": "blocklist", "name": "blocklist", "port": -1, "count": 10},
            {"ip": "192.0.2.1", "name": "dns.example", "port": 53, "count": 25, "statistics": {"response": 0.0125}},
            {"ip": "2001:db8::1", "name": "", "port": 4_294_967_295_u64, "count": 0, "statistics": {"response": 0}},
            {"name": "no address"}, 7, null
        ]}));
        assert_eq!(read.len(), 2);
        assert_eq!(
            read[0],
            Upstream {
                address: "192.0.2.1#53".to_owned(),
                name: "dns.example".to_owned(),
                queries: Some(25),
                ratio: Some(0.25),
                response: Some(0.0125),
            }
        );
        assert_eq!(read[1].address, "2001:db8::1");
        assert_eq!(read[1].response, None);
        let many: Vec<_> = (0..500)
            .map(|n| json!({"ip": "192.0.2.1", "port": n + 1, "count": 1}))
            .collect();
        assert_eq!(upstreams(&json!({"upstreams": many})).len(), MOST_UPSTREAMS);
    }

    #[test]
    fn lists_are_bounded_and_a_garbled_row_does_not_lose_the_others() {
        let mut tops = Tops::new();
        let body = json!({"domains": [7, {"domain": "a.example"}, {"domain": "b.example", "count": 3},
            {"domain": "hidden", "count": 9}, {"domain": "c.example", "count": 2}]});
        take_domains(&mut tops, &body, false, 4);
        take_domains(&mut tops, &body, true, 5);
        assert_eq!(tops.len(), 2);
        assert_eq!(
            (tops["b.example"].count, tops["b.example"].blocked),
            (Some(3), Some(3))
        );
        assert_eq!(
            (tops["c.example"].count, tops["c.example"].blocked),
            (None, Some(2))
        );
    }

    #[test]
    fn blocking_is_one_of_its_words() {
        let read = blocking(&json!({"blocking": "disabled", "timer": 59.7}));
        assert_eq!((read.state, read.timer), (Some("disabled"), Some(59.7)));
        let odd = blocking(&json!({"blocking": true, "timer": null}));
        assert_eq!((odd.state, odd.timer), (None, None));
    }
}
