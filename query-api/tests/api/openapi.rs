use serde_json::Value;

use crate::lab::Lab;

#[test]
fn it_is_as_committed() {
    insta::assert_json_snapshot!("openapi", query_api::openapi());
}

#[tokio::test]
async fn it_is_served_and_every_reference_in_it_leads_somewhere() {
    let lab = Lab::start().await;
    let api: Value = lab.json("/openapi.json").await;
    let mut open = vec![&api];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    references += 1;
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                open.extend(map.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    assert!(references > 20);
    let page = lab.http.get(lab.url("/docs")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("/docs/docs.js"));
    let script = lab.http.get(lab.url("/docs/docs.js")).send().await.unwrap();
    assert!(
        script.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/javascript")
    );
}
