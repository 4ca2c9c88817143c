//! Pi-hole v5: one PHP page, a token in the address, and status 200 whatever happens.

use serde_json::Value;

use super::{
    MOST_BODY,
    number::{count, ratio_of_percent},
    reading::{Blocking, MOST_UPSTREAMS, Summary, Tops, Upstream, take_top},
};
use crate::{
    FailureClass, PollError,
    service::{Secret, Service, failed},
};

/// The page.
pub(super) const PATH: &str = "/admin/api.php";

/// Whether an answer to `?type&version` comes from this API.
pub(super) fn is_answer(body: &Value) -> bool {
    body.is_array()
        || ["type", "version", "FTLnotrunning"]
            .iter()
            .any(|key| body.get(key).is_some())
}

/// Whether a text can be the API token: SHA-256 in hexadecimal digits.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Asks for some of what the page can tell.
pub(super) async fn ask(
    service: &Service,
    token: &Secret,
    what: &[(&str, &str)],
) -> Result<Value, PollError> {
    let mut pairs = what.to_vec();
    if !token.is_empty() {
        // it takes the token nowhere else
        pairs.push(("auth", token.expose()));
    }
    let answer = service.fetch(service.query(PATH, &pairs)).await?;
    let body = answer
        .bytes_up_to(MOST_BODY)
        .await
        .map_err(|e| failed(&e))?;
    understand(&body).map_err(|(class, why)| {
        PollError::new(
            class,
            format!("Pi-hole v5 at {}{PATH}: {why}", service.base()),
        )
    })
}

/// What an answer is: something, or one of the ways to refuse with status 200.
pub(super) fn understand(body: &[u8]) -> Result<Value, (FailureClass, String)> {
    let unauthorized = || {
        let why = "it does not accept the token: set its API token (Settings, API, Show API token) as password; \
                   it is tried again in 15 minutes";
        (FailureClass::BadCredentials, why.to_owned())
    };
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(_)) => Err(unauthorized()),
        Ok(answer) if answer.get("FTLnotrunning").is_some() => Err((
            FailureClass::Other,
            "its resolver (pihole-FTL) does not run: start it with `pihole restartdns`".to_owned(),
        )),
        Ok(answer @ Value::Object(_)) => Ok(answer),
        Ok(_) => Err((
            FailureClass::BadAnswer,
            "the answer is no object: check url".to_owned(),
        )),
        Err(_) if body.trim_ascii_start().starts_with(b"Not authorized") => Err(unauthorized()),
        Err(e) => Err((
            FailureClass::BadAnswer,
            format!("the answer is no JSON ({e}): check url"),
        )),
    }
}

/// Reads `summaryRaw`, or `summary` with its numbers as texts.
pub(super) fn summary(body: &Value) -> Option<Summary> {
    Some(Summary {
        queries: Some(count(body.get("dns_queries_today"))?),
        blocked: count(body.get("ads_blocked_today")),
        blocked_ratio: ratio_of_percent(body.get("ads_percentage_today")),
        forwarded: count(body.get("queries_forwarded")),
        cached: count(body.get("queries_cached")),
        queries_per_second: None,
        unique_domains: count(body.get("unique_domains")),
        clients_active: count(body.get("unique_clients")),
        clients_known: count(body.get("clients_ever_seen")),
        // a text while the lists are built
        gravity_domains: count(body.get("domains_being_blocked")),
        gravity_updated: count(body.pointer("/gravity_last_updated/absolute")),
        messages: None,
        blocking: Blocking {
            state: Blocking::state_of(body.get("status").and_then(Value::as_str)),
            timer: None,
        },
    })
}

/// Reads `getForwardDestinations`: `name#port|address#port` or the address alone, and a percentage.
pub(super) fn upstreams(body: &Value) -> Vec<Upstream> {
    rows(body, "forward_destinations")
        .filter_map(|(key, percent)| {
            let (name, address) = key.rsplit_once('|').unwrap_or(("", key));
            Upstream::is_resolver(address).then(|| Upstream {
                address: address.to_owned(),
                name: name.split('#').next().unwrap_or_default().to_owned(),
                ratio: ratio_of_percent(Some(percent)),
                ..Upstream::default()
            })
        })
        .take(MOST_UPSTREAMS)
        .collect()
}

/// Reads `topItems`.
pub(super) fn top_domains(body: &Value, most: usize) -> Tops {
    let mut tops = Tops::new();
    for (list, blocked) in [("top_queries", false), ("top_ads", true)] {
        for (domain, n) in rows(body, list).take(most) {
            take_top(&mut tops, domain, "", count(Some(n)), blocked);
        }
    }
    tops
}

/// Reads `topClients` and `topClientsBlocked`: `name|address` or the address alone.
pub(super) fn top_clients(body: &Value, most: usize) -> Tops {
    let mut tops = Tops::new();
    for (list, blocked) in [("top_sources", false), ("top_sources_blocked", true)] {
        for (key, n) in rows(body, list).take(most) {
            let (name, address) = key.rsplit_once('|').unwrap_or(("", key));
            take_top(&mut tops, address, name, count(Some(n)), blocked);
        }
    }
    tops
}

/// Reads `versions`: that of Pi-hole, and that of its resolver.
pub(super) fn versions(body: &Value) -> (String, String) {
    let of = |key| {
        let text = body.get(key).and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    (of("core_current"), of("FTL_current"))
}

/// The rows of an object; PHP writes an empty one as an empty list.
fn rows<'a>(body: &'a Value, list: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    body.get(list)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_is_read_from_numbers_and_from_texts() {
        let read = summary(&json!({
            "domains_being_blocked": "136,708", "dns_queries_today": "12,345", "ads_blocked_today": 345,
            "ads_percentage_today": "2.8", "queries_forwarded": 7, "unique_clients": "5", "status": "disabled",
            "gravity_last_updated": {"absolute": "1607110479", "relative": {"days": "5"}}, "new_field": {}
        }))
        .unwrap();
        assert_eq!(read.queries, Some(12_345));
        assert_eq!(read.gravity_domains, Some(136_708));
        assert_eq!(read.gravity_updated, Some(1_607_110_479));
        assert_eq!(read.blocking.state, Some("disabled"));
        assert_eq!(read.cached, None, "what is absent stays absent");
        let ratio = read.blocked_ratio.unwrap();
        assert!((ratio - 0.028).abs() < 1e-9, "{ratio}");
        assert_eq!(summary(&json!({"status": "enabled"})), None);
        let building =
            json!({"dns_queries_today": 1, "domains_being_blocked": "building", "status": "odd"});
        let building = summary(&building).unwrap();
        assert_eq!(building.gravity_domains, None);
        assert_eq!(building.blocking.state, None);
    }

    #[test]
    fn upstreams_are_the_resolvers_of_the_list() {
        let read = upstreams(&json!({"forward_destinations": {
            "blocked|blocked": 2.1, "cached|cached": 60, "other|other": 1,
            "dns.google#53|8.8.8.8#53": 25.0, "2606:4700::1111#53": "10", "one.example|192.0.2.1": {}
        }}));
        let shown: Vec<_> = read
            .iter()
            .map(|u| (u.address.as_str(), u.name.as_str(), u.ratio))
            .collect();
        assert!(
            shown.contains(&("8.8.8.8#53", "dns.google", Some(0.25))),
            "{shown:?}"
        );
        assert!(
            shown.contains(&("2606:4700::1111#53", "", Some(0.1))),
            "{shown:?}"
        );
        assert!(
            shown.contains(&("192.0.2.1", "one.example", None)),
            "{shown:?}"
        );
        assert_eq!(shown.len(), 3);
        assert!(upstreams(&json!({"forward_destinations": []})).is_empty());
    }

    #[test]
    fn top_lists_are_bounded_and_hide_what_is_hidden() {
        let body = json!({"top_queries": {"a.example": 9, "b.example": "8", "hidden": 7, "c.example": null},
            "top_ads": {"b.example": 2}, "top_sources": {"tv.lan|192.0.2.9": 4, "192.0.2.8": 3, "hidden|0.0.0.0": 2},
            "top_sources_blocked": []});
        let domains = top_domains(&body, 10);
        assert_eq!(domains.len(), 2);
        assert_eq!(domains["b.example"].count, Some(8));
        assert_eq!(domains["b.example"].blocked, Some(2));
        let clients = top_clients(&body, 10);
        assert_eq!(clients.len(), 2);
        assert_eq!(clients["192.0.2.9"].name, "tv.lan");
        assert_eq!(top_domains(&body, 1).len(), 2, "one of each list");
    }

    #[test]
    fn status_200_is_not_success() {
        let class = |body: &str| understand(body.as_bytes()).unwrap_err().0;
        assert_eq!(class("[]"), FailureClass::BadCredentials);
        assert_eq!(class("Not authorized!"), FailureClass::BadCredentials);
        assert_eq!(class(r#"{"FTLnotrunning":true}"#), FailureClass::Other);
        assert_eq!(class("<html>"), FailureClass::BadAnswer);
        assert_eq!(class("7"), FailureClass::BadAnswer);
        assert_eq!(class(&"[".repeat(100_000)), FailureClass::BadAnswer);
        assert!(understand(b"{}").is_ok());
    }
}
