use control::ControlStore;
use reqwest::{Method, StatusCode};
use schemas::api::{EntitiesAnswer, Role, SourceInfo, SourceState, SourcesAnswer};
use serde_json::{Value, json};

use crate::lab::{Lab, sample};

async fn ask(lab: &Lab, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let asked = lab.http.request(method, lab.url(path)).bearer_auth(token);
    let asked = if body.is_null() {
        asked
    } else {
        asked.json(body)
    };
    let answer = asked.send().await.unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or_default(),
    )
}

/// Waits until the store has all that is in the log.
async fn settle(lab: &Lab) {
    let log: &dyn event_log::EventLog = &*lab.log;
    let newest = log.newest().borrow().to_string();
    lab.ingested(&newest).await;
}

async fn source(lab: &Lab, name: &str) -> SourceInfo {
    let answer: SourcesAnswer = lab.json("/api/v1/sources").await;
    let mut sources = answer.sources.into_iter();
    sources.find(|source| source.name == name).unwrap()
}

async fn keys(lab: &Lab, query: &str) -> Vec<String> {
    let answer: EntitiesAnswer = lab.json(&format!("/api/v1/entities{query}")).await;
    answer.entities.into_iter().map(|e| e.key).collect()
}

#[tokio::test]
async fn a_source_is_shown_by_another_name_and_keeps_its_own() {
    let lab = Lab::start().await;
    lab.push(&[sample("nas1", "a", 1.0)]).await;
    settle(&lab).await;
    let (viewer, operator) = (
        lab.token_of("vi", Role::Viewer).await,
        lab.token_of("op", Role::Operator).await,
    );
    let path = "/api/v1/sources/nas1";
    let name = json!({"display_name": " Küche "});
    let (status, _) = ask(&lab, &viewer, Method::PATCH, path, &name).await;
    assert_eq!(status, 403);
    let (status, answer) = ask(&lab, &operator, Method::PATCH, path, &name).await;
    assert_eq!(status, 204, "{answer}");
    assert_eq!(
        source(&lab, "nas1").await.display_name.as_deref(),
        Some("Küche")
    );
    for (body, code) in [
        (json!({"display_name": "a\nb"}), "bad_display_name"),
        (json!({"display_name": ""}), "bad_display_name"),
        (json!({}), "bad_request"),
    ] {
        let (status, answer) = ask(&lab, &operator, Method::PATCH, path, &body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)));
    }
    let (status, _) = ask(
        &lab,
        &operator,
        Method::PATCH,
        "/api/v1/sources/nas2",
        &name,
    )
    .await;
    assert_eq!(status, 404);
    let own = json!({"display_name": null});
    let (status, _) = ask(&lab, &operator, Method::PATCH, path, &own).await;
    assert_eq!(status, 204);
    assert_eq!(source(&lab, "nas1").await.display_name, None);
    let audit = lab.control.audit(10).await.unwrap();
    assert_eq!(
        (audit[1].action.as_str(), audit[1].target.as_str()),
        ("source.rename", "nas1: Küche")
    );
}

#[tokio::test]
async fn what_was_removed_is_in_no_current_view_until_it_comes_back() {
    let lab = Lab::start_claiming(&["ours"]).await;
    lab.push(&[sample("gone", "a", 1.0), sample("stays", "b", 1.0)])
        .await;
    settle(&lab).await;
    let (viewer, operator) = (
        lab.token_of("vi", Role::Viewer).await,
        lab.token_of("op", Role::Operator).await,
    );
    let remove = |name: &str| format!("/api/v1/sources/{name}/remove");
    let (status, _) = ask(&lab, &viewer, Method::POST, &remove("gone"), &Value::Null).await;
    assert_eq!(status, 403);
    for (name, status) in [("ours", 409), ("nobody", 404), ("a%20b", 404)] {
        let (found, _) = ask(&lab, &operator, Method::POST, &remove(name), &Value::Null).await;
        assert_eq!(found, status, "{name}");
    }
    let (status, answer) = ask(&lab, &operator, Method::POST, &remove("gone"), &Value::Null).await;
    assert_eq!(status, 204, "{answer}");
    settle(&lab).await;
    let all = keys(&lab, "").await;
    assert!(all.iter().all(|key| key.starts_with("stays/")), "{all:?}");
    let named = keys(&lab, "?source=gone").await;
    assert_eq!(
        named.len(),
        2,
        "its history is there for who asks: {named:?}"
    );
    let gone = source(&lab, "gone").await;
    assert_eq!(gone.state, SourceState::Removed);
    assert_eq!(gone.reason.as_deref(), Some("`op` removed it"));
    let health: Value = lab
        .get("/health")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["services"].get("gone"), None);

    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    lab.push(&[sample("gone", "a", 2.0)]).await;
    settle(&lab).await;
    assert!(keys(&lab, "").await.contains(&named[0]) || keys(&lab, "").await.contains(&named[1]));
    assert_eq!(source(&lab, "gone").await.state, SourceState::Pushed);
    let status = lab.error("/api/v1/sources/gone").await.0;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

/// Everything of it, for admins only; what somebody collects stays, and nobody purges by pushing the mark.
#[tokio::test]
async fn a_purged_source_is_gone_from_everywhere_and_may_come_back() {
    let lab = Lab::start_claiming(&["ours"]).await;
    for value in [1.0, 2.0, 3.0] {
        lab.push(&[sample("gone", "a", value), sample("stays", "b", value)])
            .await;
        // points of one time would be one point
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    settle(&lab).await;
    let operator = lab.token_of("op", Role::Operator).await;
    let token = &lab.token;
    let path = |name: &str| format!("/api/v1/sources/{name}/purge");
    for method in [Method::GET, Method::POST] {
        let (status, _) = ask(&lab, &operator, method, &path("gone"), &Value::Null).await;
        assert_eq!(status, 403);
    }
    for (name, wanted) in [("ours", 409), ("nobody", 404), ("a%20b", 404)] {
        for method in [Method::GET, Method::POST] {
            let (status, _) = ask(&lab, token, method, &path(name), &Value::Null).await;
            assert_eq!(status, wanted, "{name}");
        }
    }
    let name = json!({"display_name": "Cellar"});
    ask(&lab, token, Method::PATCH, "/api/v1/sources/gone", &name).await;
    let mark = json!({
        "source": "gone", "kind": "push", "type": "source", "time": "now",
        "entity": {"type": "source", "id": "gone"}, "fields": {"state": "purged"},
    });
    let (status, answer) = ask(&lab, &operator, Method::POST, "/api/v1/events", &mark).await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["rejected"][0]["code"], "reserved", "{answer}");

    let (status, scope) = ask(&lab, token, Method::GET, &path("gone"), &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&scope["entities"], &scope["points"], &scope["events"]),
        (&json!(1), &json!(3), &json!(3))
    );
    let (status, purged) = ask(&lab, token, Method::POST, &path("gone"), &Value::Null).await;
    assert_eq!(status, 200, "{purged}");
    assert_eq!(
        (&purged["done"], &purged["points"], &purged["events"]),
        (&json!(true), &json!(3), &json!(3))
    );
    assert!(purged["notes"][0].as_str().unwrap().contains("backups"));
    let answer: SourcesAnswer = lab.json("/api/v1/sources").await;
    assert!(answer.sources.iter().all(|source| source.name != "gone"));
    let named = keys(&lab, "?source=gone").await;
    assert!(named.is_empty(), "{named:?}");
    assert_eq!(keys(&lab, "?source=stays").await.len(), 1);
    let events: Value = lab.json("/api/v1/events?source=gone").await;
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "only the mark: {events:?}");
    assert_eq!(events[0]["fields"]["state"], "purged");
    let (status, again) = ask(&lab, token, Method::POST, &path("gone"), &Value::Null).await;
    assert_eq!((status, &again["events"]), (200, &json!(0)), "{again}");

    lab.push(&[sample("gone", "a", 9.0)]).await;
    settle(&lab).await;
    let back = source(&lab, "gone").await;
    assert_eq!((back.entities, back.display_name), (1, None));
    let audit: Vec<_> = lab.control.audit(20).await.unwrap();
    let of = |target: &str| {
        let told = audit.iter().filter(|e| e.action == "source.purge");
        let of_it = told.filter(|e| e.target == target);
        of_it.map(|e| e.done).collect::<Vec<_>>()
    };
    assert_eq!(of("gone"), [true, true]);
    assert_eq!(of("ours"), [false], "a refused attempt is told, too");
}
