//! What tags mean, and when they mean something else.

use super::*;

fn image(id: &str, tags: &[&str]) -> serde_json::Value {
    json!({"Id": format!("sha256:{id}"), "RepoTags": tags, "Created": 1_795_000_000, "Size": 7_000_000})
}

/// An engine on which `web` was made of `app:1`.
fn with_image(id: &str) -> Fake {
    let fake = web_runs();
    fake.set(|state| {
        state.containers[0]["ImageID"] = json!(format!("sha256:{id}"));
        state.images = vec![
            image(id, &["app:1", "app:latest"]),
            image("ffff", &["<none>:<none>"]),
            json!({"Id": 7, "RepoTags": "none"}),
            json!([]),
        ];
    });
    fake
}

#[tokio::test]
async fn a_tag_that_means_another_image_is_a_change_and_its_container_is_outdated() {
    let fake = with_image("0123456789abcdef");
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let tag = of(&told, "app:1");
    assert_eq!(text(tag, "image_id"), "0123456789ab");
    assert_eq!(
        tag.fields.get("size_bytes"),
        Some(&FieldValue::I64(7_000_000))
    );
    assert_eq!(
        tag.fields.get("containers_count"),
        Some(&FieldValue::I64(1))
    );
    let created = tag.entity.labels.get("created").map(|text| &**text);
    assert_eq!(created, Some("2026-11-18T11:06:40.000Z"));
    let tags = told
        .iter()
        .filter(|event| event.entity.entity_type.as_str() == "docker_image");
    assert_eq!(tags.count(), 2, "an image without a tag is not told");
    let outdated = |told: &[Observation]| of(told, "web").fields.get("image_outdated").cloned();
    assert_eq!(outdated(&told), Some(FieldValue::Bool(false)));
    assert!(
        poll(&mut docker)
            .await
            .iter()
            .all(|e| e.entity.id.as_str() != "app:1")
    );

    // pulled: the engine now calls the image of the old container by its id
    fake.set(|state| {
        state.containers[0]["Image"] = json!("sha256:0123456789abcdef");
        state.images = vec![image("fedcba9876543210", &["app:1"])];
    });
    assert!(!docker.images.is_due());
    docker.images.listed_long_ago();
    let told = poll(&mut docker).await;
    let updated = told
        .iter()
        .find(|e| e.event_type == EventType::Change && e.entity.id.as_str() == "app:1")
        .unwrap();
    assert_eq!(text(updated, "action"), "updated");
    assert_eq!(
        (text(updated, "old_image_id"), text(updated, "image_id")),
        ("0123456789ab", "fedcba987654")
    );
    assert_eq!(text(of(&told, "app:latest"), "action"), "removed");
    assert_eq!(outdated(&told), Some(FieldValue::Bool(true)));
    let label = of(&told, "web").entity.labels.get("image").cloned();
    assert_eq!(label.as_deref(), Some("app:1"));
}

/// Without having seen it before, only the container by itself tells of which tag it was made.
#[tokio::test]
async fn an_outdated_container_is_known_at_first_sight() {
    let fake = with_image("0123456789abcdef");
    fake.set(|state| {
        state.containers[0]["Image"] = json!("sha256:0123456789abcdef");
        state.images = vec![image("fedcba9876543210", &["app:1"])];
        state.inspected.insert(
            "aaaaaaaaaaaaaaaa".to_owned(),
            json!({"Config": {"Image": "docker.io/library/app:1"}}),
        );
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let web = of(&told, "web");
    assert_eq!(
        web.fields.get("image_outdated"),
        Some(&FieldValue::Bool(true))
    );
    let label = web.entity.labels.get("image").map(|text| &**text);
    assert_eq!(label, Some("docker.io/library/app:1"));
}

#[tokio::test]
async fn an_event_about_images_has_them_listed_soon() {
    let fake = with_image("0123456789abcdef");
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.tell_image(START + 5, "app:1").await;
    let (told, poll_now) = listen(&mut docker).await;
    assert!(told.is_empty() && poll_now);
    assert!(
        !docker.images.is_due(),
        "but not at once: builds tell of many"
    );
    docker.images.listed_long_ago();
    assert!(docker.images.is_due());
    // what is repeated after a cut is not new
    fake.tell_image(START + 5, "app:1").await;
    let (_, poll_now) = listen(&mut docker).await;
    assert!(!poll_now);
}

#[tokio::test]
async fn a_proxy_that_hides_images_hides_nothing_else() {
    let fake = with_image("0123456789abcdef");
    fake.instead(
        "/images/json",
        Answer::Status(403, "<html>Forbidden</html>"),
    );
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let web = of(&told, "web");
    assert_eq!(text(web, "state"), "running");
    assert_eq!(
        web.fields.get("image_outdated"),
        None,
        "nothing is known of it"
    );
    poll(&mut docker).await;
    let asked = fake.requests();
    let count = asked
        .iter()
        .filter(|line| line.contains("/images/json"))
        .count();
    assert_eq!(count, 1, "not asked again soon");
}
