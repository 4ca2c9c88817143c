use schemas::FieldValue;

use super::*;
use crate::{
    batch::Observation,
    testing::{
        self,
        web::{Answer, Web, header},
    },
};

const PRINTER: &str = r#"
[[entity]]
type = "printer"
id = "/serial"
labels = { model = "/model", room = "attic" }
[[entity.field]]
name = "nozzle_celsius"
at = "/temperature/nozzle"
unit = "°F"
[[entity.field]]
name = "phase"
at = "/state"
kind = "state"
states = { 2 = "printing" }
[[entity.field]]
name = "healthy"
at = "/health/status"
kind = "flag"
is = "UP"
[[entity.field]]
name = "filament_used_bytes_total"
at = "/used"
kind = "counter"
unit = "KiB"
"#;

const ANSWER: &str = r#"{"serial": 4711, "model": "M1", "temperature": {"nozzle": "392.0"}, "state": 2,
    "health": {"status": "Up"}, "used": 1.5, "more": [1, {"x": null}]}"#;

fn params(url: &str, options: &str) -> Params {
    toml::from_str(&format!("url = \"{url}\"\n{options}")).unwrap()
}

fn open(url: &str, options: &str) -> HttpJson {
    HttpJson::open(params(url, options), &testing::context("lab.json")).unwrap()
}

fn refused(url: &str, options: &str) -> OpenError {
    match HttpJson::open(params(url, options), &testing::context("lab.json")) {
        Ok(_) => panic!("{options} is taken"),
        Err(e) => e,
    }
}

async fn poll(json: &mut HttpJson) -> (Vec<Observation>, Result<(), PollError>) {
    let mut batch = testing::batch();
    let polled = json.poll(&mut batch).await;
    (batch.into_parts().0, polled)
}

/// Entities, fields and values, one a line; the service itself has the types of the catalogue.
fn lines(events: &[Observation]) -> Vec<String> {
    let mut all = Vec::new();
    for event in events {
        event.fields.check().unwrap();
        for (name, value) in event.fields.iter() {
            let (ty, id) = (&event.entity.entity_type, &event.entity.id);
            if ty.as_str() == HttpJson::TYPE {
                schemas::Catalog::new(METRICS)
                    .fit(ty, name, value.clone())
                    .unwrap();
            }
            all.push(format!("{ty}/{id} {name} {value}"));
        }
    }
    all
}

#[tokio::test]
async fn values_become_fields_of_what_they_are_of() {
    let web = Web::start().await;
    web.answer("/api?all=1", Answer::typed("application/json", ANSWER));
    let mut json = open(&web.url("/api?all=1"), PRINTER);
    let (events, polled) = poll(&mut json).await;
    polled.unwrap();
    assert_eq!(
        lines(&events),
        [
            "printer/4711 filament_used_bytes_total 1536",
            "printer/4711 healthy true",
            "printer/4711 nozzle_celsius 200",
            "printer/4711 phase printing",
            "http_json/lab.json entities_count 1",
            "http_json/lab.json left_out_items_count 0",
            "http_json/lab.json missing_values_count 0",
        ]
    );
    let labels = &events[0].entity.labels;
    assert_eq!(labels.get("model").map(|label| &**label), Some("M1"));
    assert_eq!(labels.get("room").map(|label| &**label), Some("attic"));
    assert!(matches!(
        events[0].fields.get("nozzle_celsius"),
        Some(FieldValue::F64(_))
    ));
    assert!(
        !format!("{events:?}").contains("all=1"),
        "the query may be secret"
    );
}

const DISKS: &str = r#"
[[entity]]
type = "disk"
path = "/disks"
items = "/list"
id = "/name"
[[entity.field]]
name = "temperature_celsius"
at = "/temp"
[[entity]]
type = "share"
path = "/shares"
items = ""
id = "@key"
[[entity.field]]
name = "used_bytes"
at = "/used"
unit = "GiB"
"#;

#[tokio::test]
async fn items_of_lists_and_tables_are_entities_and_a_garbled_one_loses_no_other() {
    let web = Web::start().await;
    let disks = r#"{"list": [{"name": "a", "temp": 30}, {"temp": 99}, {"name": "b"}, 7, null, {"name": "c", "temp": null},
        {"name": "a", "temp": 77}, {"name": "d", "temp": "cold"}, {"name": "e", "temp": "31 °C"}]}"#;
    web.answer("/api/disks", Answer::page(200, disks));
    web.answer(
        "/api/shares",
        Answer::page(200, r#"{"home": {"used": 0.5}, "media": {"used": 2}}"#),
    );
    let mut json = open(&web.url("/api/"), DISKS);
    for _ in 0..2 {
        let (events, polled) = poll(&mut json).await;
        polled.unwrap();
        assert_eq!(
            lines(&events),
            [
                "disk/a temperature_celsius 30",
                "disk/e temperature_celsius 31",
                "share/home used_bytes 536870912",
                "share/media used_bytes 2147483648",
                "http_json/lab.json entities_count 4",
                "http_json/lab.json left_out_items_count 4",
                "http_json/lab.json missing_values_count 2",
            ]
        );
    }
}

#[tokio::test]
async fn a_list_is_bounded() {
    let web = Web::start().await;
    let items: Vec<_> = (0..1500)
        .map(|n| format!("{{\"name\": \"{n}\", \"temp\": 1}}"))
        .collect();
    web.answer(
        "/api/disks",
        Answer::page(200, &format!("{{\"list\": [{}]}}", items.join(","))),
    );
    web.answer("/api/shares", Answer::page(200, "{}"));
    let (events, polled) = poll(&mut open(&web.url("/api"), DISKS)).await;
    polled.unwrap();
    let shown = lines(&events);
    assert!(shown.contains(&"http_json/lab.json entities_count 1000".to_owned()));
    assert!(shown.contains(&"http_json/lab.json left_out_items_count 500".to_owned()));
}

#[tokio::test]
async fn what_is_missing_is_no_failure_unless_nothing_is_there() {
    let web = Web::start().await;
    web.answer("/", Answer::page(200, r#"{"serial": 1, "state": "idle"}"#));
    let mut json = open(&web.url("/"), PRINTER);
    let (events, polled) = poll(&mut json).await;
    polled.unwrap();
    let shown = lines(&events);
    assert_eq!(shown[0], "printer/1 phase idle");
    assert!(shown.contains(&"http_json/lab.json missing_values_count 3".to_owned()));

    web.answer("/", Answer::page(200, r#"{"serial": 1, "other": 7}"#));
    let (events, polled) = poll(&mut json).await;
    assert!(events.is_empty());
    let error = polled.unwrap_err();
    assert_eq!(error.class, FailureClass::BadAnswer);
    assert!(error.message.contains("nothing of the mapping"), "{error}");

    // nothing now is not the same as not there
    let nothing = r#"{"serial": 1, "state": null}"#;
    web.answer("/", Answer::page(200, nothing));
    poll(&mut json).await.1.unwrap();
}

#[tokio::test]
async fn credentials_are_shown_and_never_told() {
    let web = Web::start().await;
    web.answer("/", Answer::page(200, ANSWER));
    let ways = [
        ("token = \"s3cret\"", "authorization", "Bearer s3cret"),
        (
            "username = \"ann\"\npassword = \"s3cret\"",
            "authorization",
            "Basic YW5uOnMzY3JldA==",
        ),
        (
            "headers = { X-Api-Key = \"s3cret\" }",
            "x-api-key",
            "s3cret",
        ),
    ];
    for (option, name, value) in ways {
        let options = format!("{option}\n{PRINTER}");
        let shown = format!("{:?}", params(&web.url("/"), &options));
        assert!(!shown.contains("s3cret"), "{shown}");
        poll(&mut open(&web.url("/"), &options)).await.1.unwrap();
        let request = web.requests().pop().unwrap();
        assert_eq!(header(&request, name).as_deref(), Some(value), "{request}");
    }
    for (option, key) in [
        ("token = \"a\"\npassword = \"b\"", "token"),
        ("username = \"a:b\"", "username"),
        ("headers = { Authorization = \"x\" }", "headers"),
        ("headers = { \"a b\" = \"x\" }", "headers"),
    ] {
        let error = refused(&web.url("/"), &format!("{option}\n{PRINTER}"));
        assert_eq!(error.key, key, "{error}");
    }
}

#[tokio::test]
async fn every_fault_has_its_class() {
    let web = Web::start().await;
    for (answer, class) in [
        (Answer::page(401, ""), FailureClass::BadCredentials),
        (Answer::page(403, ""), FailureClass::NoPermission),
        (Answer::page(429, ""), FailureClass::RateLimited),
        (Answer::page(404, ""), FailureClass::BadAnswer),
        (Answer::page(500, "no"), FailureClass::BadAnswer),
        (
            Answer::typed("text/html", "<html>log in"),
            FailureClass::BadAnswer,
        ),
        (Answer::page(200, ""), FailureClass::BadAnswer),
        (Answer::page(200, "{\"serial\": 1"), FailureClass::BadAnswer),
        (Answer::page(200, "[1]"), FailureClass::BadAnswer),
        (
            Answer::page(200, &"[".repeat(100_000)),
            FailureClass::BadAnswer,
        ),
        (
            Answer::page(200, &" ".repeat(LARGEST + 1)),
            FailureClass::BadAnswer,
        ),
        (
            Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
            FailureClass::Unreachable,
        ),
        (Answer::Raw(Vec::new()), FailureClass::Unreachable),
    ] {
        web.answer("/", answer.clone());
        let (events, polled) = poll(&mut open(&web.url("/"), PRINTER)).await;
        let error = polled.unwrap_err();
        assert_eq!(error.class, class, "{answer:?}: {error}");
        assert!(events.is_empty());
    }
}

#[tokio::test]
async fn one_path_that_fails_leaves_the_others() {
    let web = Web::start().await;
    web.answer("/disks", Answer::page(500, ""));
    web.answer("/shares", Answer::page(200, r#"{"media": {"used": 2}}"#));
    let (events, polled) = poll(&mut open(&web.url("/"), DISKS)).await;
    assert_eq!(polled.unwrap_err().class, FailureClass::BadAnswer);
    assert_eq!(lines(&events), ["share/media used_bytes 2147483648"]);

    // but a password that is refused is not shown again
    web.answer("/disks", Answer::page(401, ""));
    let before = web.requests().len();
    let (events, polled) = poll(&mut open(&web.url("/"), DISKS)).await;
    assert_eq!(polled.unwrap_err().class, FailureClass::BadCredentials);
    assert!(events.is_empty());
    assert_eq!(web.requests().len(), before + 1);
}

#[test]
fn what_cannot_work_is_told_with_its_place() {
    let entity = |fields: &str| format!("[[entity]]\ntype = \"x\"\n{fields}");
    let field = |options: &str| entity(&format!("[[entity.field]]\n{options}\n"));
    for (options, key) in [
        (String::new(), "entity"),
        (entity("field = []"), "entity[0].field"),
        (
            field("name = \"room_temp\"\nat = \"/a\"\nunit = \"°F\""),
            "entity[0].field[0].unit",
        ),
        (
            field("name = \"a\"\nat = \"/a\"\nscale = 0"),
            "entity[0].field[0].scale",
        ),
        (
            field("name = \"a\"\nat = \"/a\"\nkind = \"counter\""),
            "entity[0].field[0].name",
        ),
        (
            field("name = \"a_total\"\nat = \"/a\""),
            "entity[0].field[0].name",
        ),
        (
            field("name = \"a\"\nat = \"/a\"\nkind = \"flag\"\nunit = \"s\""),
            "entity[0].field[0].unit",
        ),
        (
            field("name = \"a\"\nat = \"/a\"\nis = \"UP\""),
            "entity[0].field[0].is",
        ),
        (
            field("name = \"a\"\nat = \"/a\"\nstates = { 1 = \"x\" }"),
            "entity[0].field[0].states",
        ),
        (
            entity("items = \"/l\"\nfield = [{ name = \"a\", at = \"/a\" }]"),
            "entity[0].items",
        ),
        (
            entity("items = \"/l\"\nid = \"one\"\nfield = [{ name = \"a\", at = \"/a\" }]"),
            "entity[0].id",
        ),
        (
            entity("path = \"disks\"\nfield = [{ name = \"a\", at = \"/a\" }]"),
            "entity[0].path",
        ),
        (
            entity("field = [{ name = \"a\", at = \"/a\" }, { name = \"a\", at = \"/b\" }]"),
            "entity[0].field[1].name",
        ),
        (
            "[[entity]]\ntype = \"http_json\"\nfield = [{ name = \"a\", at = \"/a\" }]".to_owned(),
            "entity[0].type",
        ),
    ] {
        let error = refused("http://x", &options);
        assert_eq!(error.key, key, "{options}: {error}");
    }
    assert_eq!(refused("http://x/#a", PRINTER).key, "url");
    assert_eq!(refused("x", PRINTER).key, "url");
    let pointer = REGISTERED
        .parse(toml::from_str(&field("name = \"a\"\nat = \"a.b\"")).unwrap())
        .unwrap_err();
    assert_eq!(pointer.key, "entity[0].field[0].at");
    assert!(pointer.message.contains("`/a/b`"), "{pointer}");
}

static REGISTERED: &dyn crate::Registration = &INTEGRATION;
