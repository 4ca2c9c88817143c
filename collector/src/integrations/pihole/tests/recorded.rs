//! Against answers recorded from real Pi-holes, where they are at hand: each stands once where it was recorded, or, if it is of
//! a resource that is not read, in the place of the summary, where it must be refused.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

const SUMMARY: &str = "GET /api/stats/summary";
const LOGIN: &str = "POST /api/auth";
const DETECTION: &str = "GET /api/auth";
const LOGOUT: &str = "DELETE /api/auth";
const BLOCKING: &str = "GET /api/dns/blocking";
const MESSAGES: &str = "GET /api/info/messages/count";
const VERSION: &str = "GET /api/info/version";
const UPSTREAMS: &str = "GET /api/stats/upstreams";
const CLIENTS: &str = "GET /api/stats/top_clients";
const DOMAINS: &str = "GET /api/stats/top_domains";

/// Where an answer of v6 stands, by the beginning of its name, the longer before what it begins with.
const PLACES: &[(&str, &str)] = &[
    ("auth_delete", LOGOUT),
    ("auth_get", DETECTION),
    ("auth_sessions", SUMMARY),
    ("auth", LOGIN),
    ("nopw_auth_get", DETECTION),
    ("nopw_auth_post", LOGIN),
    ("blocking", BLOCKING),
    ("dns_blocking", BLOCKING),
    ("info_messages_count", MESSAGES),
    ("info_version", VERSION),
    ("db2_top_clients", CLIENTS),
    ("stats_top_clients", CLIENTS),
    ("db2_top_domains", DOMAINS),
    ("stats_top_domains", DOMAINS),
    ("db_upstreams", UPSTREAMS),
    ("db2_upstreams", UPSTREAMS),
];

/// What the integration makes of one recording.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    if dir.ends_with("pihole_v5") {
        read_v5(name, text).await
    } else {
        read_v6(name, &serde_json::from_str(&text).unwrap()).await
    }
}

async fn read_v6(name: &str, recorded: &Value) -> Became {
    let status = u16::try_from(recorded["status"].as_u64().unwrap()).unwrap();
    let place = PLACES.iter().find(|(begin, _)| name.starts_with(begin));
    let place = place.map_or(SUMMARY, |(_, place)| *place);
    let fake = Fake::start(Kind::V6).await;
    fake.instead(place, Answer::json(status, &recorded["body"]));
    if place == LOGIN {
        let session = &recorded["body"]["session"];
        let sid = session["sid"].as_str().map(str::to_owned);
        // without a password there are no sessions
        fake.set(|state| state.open = sid.is_none() && session["valid"] == true);
        fake.set(|state| state.sids.extend(sid));
    }
    let lists = "top_domains = 10\ntop_clients = 10";
    let mut pihole = open(&fake.url(), APP_PASSWORD, lists);
    let mut batch = recordings::batch();
    if let Err(e) = pihole.poll(&mut batch).await {
        return e.into();
    }
    let told = checked(batch);
    let of_the_fake = ["blocking", "messages_count"];
    match place {
        SUMMARY => Became::fields_of(told, &["pihole"], |field| !of_the_fake.contains(&field)),
        BLOCKING => Became::fields_of(told, &["pihole"], |field| field.starts_with("blocking")),
        MESSAGES => Became::fields_of(told, &["pihole"], |field| field == "messages_count"),
        UPSTREAMS => Became::of(told, &["dns_upstream"]),
        // the blocked ones are another list, which the fake answers alike
        CLIENTS => Became::fields_of(told, &["dns_client"], |field| field == "queries_count"),
        DOMAINS => {
            let blocked = name.contains("blocked");
            let kept = if blocked {
                "blocked_count"
            } else {
                "permitted_count"
            };
            Became::fields_of(told, &["dns_domain"], |field| field == kept)
        }
        VERSION => {
            let itself = of(&told, "pihole", "dns");
            let versions = ["version", "ftl_version"].map(|name| label(itself, name));
            Became::Understood(format!("versions {}", versions.join(" and ")))
        }
        LOGIN => Became::Understood("a session".to_owned()),
        DETECTION => Became::Understood("a Pi-hole v6".to_owned()),
        LOGOUT => {
            drop(pihole);
            for _ in 0..500 {
                if fake.asked(LOGOUT) > 0 {
                    return Became::Understood("left".to_owned());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("it is not left");
        }
        other => panic!("{other}"),
    }
}

async fn read_v5(name: &str, text: String) -> Became {
    let fake = Fake::start(Kind::V5).await;
    let mut pihole = open(&fake.url(), TOKEN, "");
    pihole.version = Some(Version::V5);
    if name == "versions.json" {
        let read = serde_json::from_str(&text).unwrap();
        let (core, ftl) = v5::versions(&read);
        return Became::Understood(format!("versions {core} and {ftl}"));
    }
    fake.instead("GET /admin/api.php", Answer::Text(200, text));
    let mut batch = recordings::batch();
    match pihole.poll(&mut batch).await {
        Ok(()) => Became::of(checked(batch), &["pihole"]),
        Err(e) => e.into(),
    }
}
