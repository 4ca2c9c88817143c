//! Against answers recorded from real Pi-holes, where they are at hand: each file stands once where it was recorded, or, if
//! it is of a resource that is not read, in the place of the summary, where it must be refused.

use std::{collections::BTreeSet, path::Path};

use super::*;

const SUMMARY: &str = "GET /api/stats/summary";
const LOGIN: &str = "POST /api/auth";
const BLOCKING: &str = "GET /api/dns/blocking";
const UPSTREAMS: &str = "GET /api/stats/upstreams";
const CLIENTS: &str = "GET /api/stats/top_clients";
const DOMAINS: &str = "GET /api/stats/top_domains";

/// What is told with nothing but the usual answers: queries, blocking, upstreams, domains, clients.
const USUAL: &str = "100 enabled 1 3 1";

const V6: &[(&str, &str, &str)] = &[
    ("auth_bad_password.json", LOGIN, "bad_credentials"),
    ("auth_delete.json", "DELETE /api/auth", USUAL),
    ("auth_get_nosid.json", "GET /api/auth", USUAL),
    ("auth_get_valid.json", "GET /api/auth", USUAL),
    ("auth_no_password.json", LOGIN, "bad_answer"),
    ("auth_no_payload.json", LOGIN, "bad_answer"),
    // its session is none of the fake's
    ("auth_ok.json", LOGIN, "no_permission"),
    ("auth_password_not_string.json", LOGIN, "bad_answer"),
    ("auth_sessions.json", SUMMARY, "bad_answer"),
    ("badsid_summary.json", SUMMARY, "no_permission"),
    ("blocking_disable_60.json", BLOCKING, "100 disabled 1 3 1"),
    ("blocking_enable.json", BLOCKING, USUAL),
    ("blocking_state_timer.json", BLOCKING, "100 disabled 1 3 1"),
    ("config_max_sessions.json", SUMMARY, "bad_answer"),
    ("config_session.json", SUMMARY, "bad_answer"),
    ("db2_query_types.json", SUMMARY, "bad_answer"),
    ("db2_summary.json", SUMMARY, "bad_answer"),
    ("db2_top_clients.json", CLIENTS, "100 enabled 1 3 2"),
    ("db2_top_domains.json", DOMAINS, "100 enabled 1 2 1"),
    ("db2_upstreams.json", UPSTREAMS, "100 enabled 0 3 1"),
    ("db_summary.json", SUMMARY, "bad_answer"),
    ("db_upstreams.json", UPSTREAMS, "100 enabled 0 3 1"),
    ("dhcp_leases.json", SUMMARY, "bad_answer"),
    ("dns_blocking.json", BLOCKING, USUAL),
    ("groups.json", SUMMARY, "bad_answer"),
    ("history.json", SUMMARY, "bad_answer"),
    ("info_client.json", SUMMARY, "bad_answer"),
    ("info_database.json", SUMMARY, "bad_answer"),
    ("info_host.json", SUMMARY, "bad_answer"),
    ("info_login.json", SUMMARY, "bad_answer"),
    (
        "info_messages_count.json",
        "GET /api/info/messages/count",
        USUAL,
    ),
    ("info_metrics.json", SUMMARY, "bad_answer"),
    ("info_system.json", SUMMARY, "bad_answer"),
    ("info_version.json", "GET /api/info/version", USUAL),
    ("lists.json", SUMMARY, "bad_answer"),
    ("method_not_allowed.json", SUMMARY, "bad_answer"),
    ("network_gateway.json", SUMMARY, "bad_answer"),
    ("nopw_auth_get.json", "GET /api/auth", USUAL),
    // then nothing may be read without a session of the fake
    ("nopw_auth_post.json", LOGIN, "no_permission"),
    ("nopw_stats_summary.json", SUMMARY, "0 enabled 1 3 1"),
    ("not_found.json", SUMMARY, "bad_answer"),
    // it has the same counts of queries
    ("padd_full.json", SUMMARY, "155 enabled 1 3 1"),
    ("sid_in_query.json", SUMMARY, "155 enabled 1 3 1"),
    ("stats_query_types.json", SUMMARY, "bad_answer"),
    ("stats_recent_blocked.json", SUMMARY, "bad_answer"),
    ("stats_summary.json", SUMMARY, "155 enabled 1 3 1"),
    ("stats_top_clients.json", CLIENTS, "100 enabled 1 3 4"),
    ("stats_top_domains.json", DOMAINS, "100 enabled 1 3 1"),
    (
        "stats_top_domains_blocked.json",
        DOMAINS,
        "100 enabled 1 2 1",
    ),
    ("unauth_summary.json", SUMMARY, "no_permission"),
];

const V5: &[(&str, &str)] = &[
    ("not_authorized_empty_array.json", "bad_credentials"),
    ("status.json", "bad_answer"),
    (
        "summaryRaw_2020-01_relative_strings.json",
        "38588 enabled 0 0 0",
    ),
    ("summaryRaw_2020-12.json", "56083 enabled 0 0 0"),
    ("versions.json", "bad_answer"),
];

fn files(dir: &Path) -> BTreeSet<String> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What one poll comes to, in one line.
async fn outcome(pihole: &mut Pihole) -> (String, Vec<Observation>) {
    let mut batch = testing::batch();
    let result = pihole.poll(&mut batch).await;
    let told = checked(batch);
    let line = if let Err(e) = result {
        e.class.as_str().to_owned()
    } else {
        let itself = of(&told, "pihole", "dns");
        let field = |name| {
            itself
                .fields
                .get(name)
                .map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        let counts = ["dns_upstream", "dns_domain", "dns_client"]
            .map(|ty| count_of(&told, ty).to_string())
            .join(" ");
        format!("{} {} {counts}", field("queries_count"), field("blocking"))
    };
    (line, told)
}

#[tokio::test]
async fn every_recorded_answer_of_v6_comes_to_events_or_to_its_class() {
    let Some(dir) = testing::recordings("pihole_v6") else {
        return;
    };
    let named: BTreeSet<_> = V6.iter().map(|(file, ..)| (*file).to_owned()).collect();
    assert!(!named.is_empty());
    assert_eq!(files(&dir), named, "each file has its line here");
    for (file, place, expected) in V6 {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let status = u16::try_from(recorded["status"].as_u64().unwrap()).unwrap();
        let fake = Fake::start(Kind::V6).await;
        fake.instead(place, Answer::json(status, &recorded["body"]));
        let mut pihole = open(
            &fake.url(),
            APP_PASSWORD,
            "top_domains = 3\ntop_clients = 5",
        );
        let (line, told) = outcome(&mut pihole).await;
        println!("{file:34} {line}");
        assert_eq!(line, *expected, "{file} at {place}");
        if let Some(itself) = told.iter().find(|e| e.entity.id.as_str() == "dns") {
            let field = |name| itself.fields.get(name).cloned();
            match *file {
                "stats_summary.json" => {
                    assert_eq!(field("blocked_ratio"), Some(FieldValue::F64(0.1548)));
                    assert_eq!(field("queries_per_second"), Some(FieldValue::F64(5.167)));
                    assert_eq!(field("cached_count"), Some(FieldValue::I64(78)));
                    assert_eq!(field("forwarded_count"), Some(FieldValue::I64(53)));
                    assert_eq!(field("unique_domains_count"), Some(FieldValue::I64(14)));
                }
                "blocking_state_timer.json" => {
                    let timer = field("blocking_timer_seconds");
                    assert_eq!(timer, Some(FieldValue::F64(60.0)));
                }
                "info_version.json" => {
                    assert_eq!(label(itself, "version"), "v5.14.2-60-g955e36a9");
                    assert_eq!(label(itself, "ftl_version"), "v6.4");
                }
                "info_messages_count.json" => {
                    assert_eq!(field("messages_count"), Some(FieldValue::I64(0)));
                }
                _ => {}
            }
        }
    }
    println!("{} files of v6", V6.len());
}

#[tokio::test]
async fn every_recorded_answer_of_v5_comes_to_events_or_to_its_class() {
    let Some(dir) = testing::recordings("pihole_v5") else {
        return;
    };
    let named: BTreeSet<_> = V5.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert!(!named.is_empty());
    assert_eq!(files(&dir), named, "each file has its line here");
    for (file, expected) in V5 {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let fake = Fake::start(Kind::V5).await;
        let mut pihole = open(&fake.url(), TOKEN, "");
        pihole.version = Some(Version::V5);
        fake.instead("GET /admin/api.php", Answer::Text(200, text.clone()));
        let (line, told) = outcome(&mut pihole).await;
        println!("{file:42} {line}");
        assert_eq!(line, *expected, "{file}");
        if *file == "summaryRaw_2020-01_relative_strings.json" {
            let itself = of(&told, "pihole", "dns");
            for (field, value) in [
                ("gravity_domains_count", FieldValue::I64(114_789)),
                ("blocked_ratio", FieldValue::F64(0.1536)),
                ("clients_known_count", FieldValue::I64(12)),
            ] {
                assert_eq!(itself.fields.get(field), Some(&value), "{field}");
            }
        }
        if *file == "versions.json" {
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(v5::versions(&read), ("v5.5".to_owned(), "v5.10".to_owned()));
        }
    }
    println!("{} files of v5", V5.len());
}
