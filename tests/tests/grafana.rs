//! Grafana's dashboards ask for what is there: every query names measurements and fields of the catalogue, and a real
//! InfluxDB answers each with a series.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "an index into a JSON value that is not there is null; what a test reads is there, or it says where it is not"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use homelog_tests::{workspace, yaml};
use schemas::{MetricDef, Timestamp, catalog::ValueType};
use serde_json::{Value, json};
use test_servers::{Influxdb, unique};

fn dashboards() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> =
        std::fs::read_dir(workspace().join("infra/grafana/dashboards"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, serde_json::from_str(&text).unwrap())
            })
            .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Every query of a dashboard with the title of what asks it.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        all.push((text(&variable["name"]), text(&variable["query"])));
    }
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            all.push((text(&panel["title"]), text(&target["query"])));
        }
    }
    all
}

/// Texts in double quotes that stand behind one of `words`, or with no words, all of them.
fn quoted<'q>(query: &'q str, word: Option<&str>) -> Vec<&'q str> {
    let parts: Vec<&str> = query.split('"').collect();
    parts
        .iter()
        .enumerate()
        .filter(|(nth, _)| nth % 2 == 1)
        .filter(|(nth, _)| {
            word.is_none_or(|word| {
                parts
                    .get(nth - 1)
                    .is_some_and(|before| before.trim_end().ends_with(word))
            })
        })
        .map(|(_, part)| *part)
        .collect()
}

type Catalogue = BTreeMap<String, BTreeMap<String, &'static MetricDef>>;

fn catalogue() -> Catalogue {
    let mut known = Catalogue::new();
    for metric in collector::catalog() {
        known
            .entry(metric.entity_type.to_string())
            .or_default()
            .insert(metric.field.to_string(), metric);
    }
    known
}

#[test]
fn every_panel_has_the_data_source_that_is_provisioned_and_a_query() {
    let provisioned =
        yaml::read(&workspace().join("infra/grafana/provisioning/datasources/homelog.yml"))
            .unwrap();
    let source = &provisioned["datasources"][0];
    assert_eq!(source["type"], "influxdb");
    let value = source["secureJsonData"]["httpHeaderValue1"]
        .as_str()
        .unwrap();
    assert!(
        value.starts_with("Token $__file{/run/secrets/"),
        "the token stands in a file: {value}"
    );
    let wanted = json!({"type": "influxdb", "uid": source["uid"]});
    let mut seen = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let uid = dashboard["uid"].as_str().unwrap().to_owned();
        assert!(seen.insert(uid), "{file} has the uid of another");
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].as_u64()), "{file}: {title}: id");
            if panel["type"] == "row" {
                continue;
            }
            assert_eq!(panel["datasource"], wanted, "{file}: {title}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{file}: {title} asks nothing");
            for target in targets {
                assert_eq!(target["datasource"], wanted, "{file}: {title}");
                assert_eq!(target["rawQuery"], true, "{file}: {title}");
                let query = target["query"].as_str().unwrap();
                assert!(query.contains("$timeFilter"), "{file}: {title}: {query}");
            }
        }
    }
    assert_eq!(seen.len(), 7);
}

#[test]
fn every_query_names_what_the_catalogue_has() {
    let known = catalogue();
    for (file, dashboard) in dashboards() {
        for (title, query) in queries(&dashboard) {
            let from = quoted(&query, Some("FROM"));
            let [measurement] = from.as_slice() else {
                panic!("{file}: {title}: one measurement is wanted: {query}");
            };
            let fields = known
                .get(*measurement)
                .unwrap_or_else(|| panic!("{file}: {title}: no entity is a `{measurement}`"));
            for name in quoted(&query, None) {
                assert!(
                    name == *measurement
                        || ["source", "id"].contains(&name)
                        // any entity may have a name
                        || name == "label_name"
                        || fields.contains_key(name),
                    "{file}: {title}: `{measurement}` has no `{name}`"
                );
            }
        }
    }
}

/// Points of every field that the catalogue has, as Homelog writes them: two minutes, one a second.
fn points(known: &Catalogue) -> String {
    let now = Timestamp::now().as_millis() / 1000;
    let mut lines = String::new();
    for (measurement, fields) in known {
        for step in 0..120_i64 {
            let mut line = format!("{measurement},source=lab,id=thing label_name=\"The thing\"");
            for (name, metric) in fields {
                let name = name.replace('*', "0");
                let value = match metric.value {
                    ValueType::Float => format!("{}.5", 120 - step),
                    ValueType::Integer => format!("{}i", 120 - step),
                    ValueType::Bool => "true".to_owned(),
                    ValueType::Text => "\"down\"".to_owned(),
                };
                write!(line, ",{name}={value}").unwrap();
            }
            writeln!(lines, "{line} {}", now - step).unwrap();
        }
    }
    lines
}

/// A query as Grafana sends it, with everything chosen in the variables.
fn as_sent(query: &str) -> String {
    query
        .replace("/^$source$/", "/^(lab)$/")
        .replace("/^$qnap$/", "/^(lab)$/")
        .replace("/^$container$/", "/^(thing)$/")
        .replace("/^$guest$/", "/^(thing)$/")
        .replace("/^$entity$/", "/^(thing)$/")
        .replace("$timeFilter", "time >= now() - 1h AND time <= now()")
        .replace("$__interval", "30s")
}

#[tokio::test]
async fn influxdb_answers_every_query_with_a_series() {
    let server = Influxdb::start().unwrap();
    let http = reqwest::Client::builder().build().unwrap();
    let token = format!("Token {}", Influxdb::TOKEN);
    let ask = |method: reqwest::Method, path: String| {
        http.request(method, format!("{}{path}", server.url()))
            .header("Authorization", &token)
    };
    let bucket = unique("grafana");
    let orgs: Value = ask(reqwest::Method::GET, "/api/v2/orgs".to_owned())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let made = ask(reqwest::Method::POST, "/api/v2/buckets".to_owned())
        .json(&json!({"orgID": orgs["orgs"][0]["id"], "name": bucket, "retentionRules": []}))
        .send()
        .await
        .unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    let written = ask(
        reqwest::Method::POST,
        format!(
            "/api/v2/write?org={}&bucket={bucket}&precision=s",
            Influxdb::ORG
        ),
    )
    .body(points(&catalogue()))
    .send()
    .await
    .unwrap();
    assert_eq!(
        written.status(),
        204,
        "{}",
        written.text().await.unwrap_or_default()
    );
    for (file, dashboard) in dashboards() {
        for (title, query) in queries(&dashboard) {
            let sent = as_sent(&query);
            // what is left of `$` ends a regular expression
            assert!(
                sent.split('$').skip(1).all(|after| after.starts_with('/')),
                "{file}: {title}: {sent}"
            );
            let answer: Value = ask(reqwest::Method::POST, "/query".to_owned())
                .query(&[("db", &bucket), ("q", &sent)])
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            let result = &answer["results"][0];
            assert!(
                answer["error"].is_null() && result["error"].is_null(),
                "{file}: {title}: {sent}: {answer}"
            );
            let rows = result["series"][0]["values"].as_array();
            assert!(
                rows.is_some_and(|rows| !rows.is_empty()),
                "{file}: {title}: {sent} gives nothing: {answer}"
            );
        }
    }
}
