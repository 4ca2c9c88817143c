//! Which container is which, over new ids, new names and short lives.

use super::*;

#[tokio::test]
async fn a_new_engine_id_under_the_same_name_is_the_same_entity_recreated() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let (old, new) = ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb");
    fake.set(|state| {
        state.containers = vec![container(new, "web", "app:2", "running", START / NANO)];
        state.stats.insert(new.to_owned(), stats(1, 1_000, 200));
    });
    fake.tell(
        START + 10 * 1_000_000,
        old,
        "die",
        json!({"name": "web", "exitCode": "0"}),
    )
    .await;
    fake.tell(
        START + 20 * 1_000_000,
        old,
        "destroy",
        json!({"name": "web"}),
    )
    .await;
    fake.tell(
        START + 30 * 1_000_000,
        new,
        "create",
        json!({"name": "web", "image": "app:2"}),
    )
    .await;
    fake.tell(
        START + 40 * 1_000_000,
        new,
        "start",
        json!({"name": "web", "image": "app:2"}),
    )
    .await;
    let (told, poll_now) = listen(&mut docker).await;
    assert_eq!(
        changes(&told),
        [("web", "die", "exited"), ("web", "destroy", "removed")]
    );
    assert!(poll_now);
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [("web", "recreated", ""), ("web", "start", "running")]
    );
    let recreated = of(&told, "web");
    for (field, value) in [
        ("old_image", "app:1"),
        ("new_image", "app:2"),
        ("old_container_id", "aaaaaaaaaaaa"),
        ("new_container_id", "bbbbbbbbbbbb"),
    ] {
        assert_eq!(text(recreated, field), value);
    }
    assert_eq!(
        recreated.time.as_millis(),
        START / 1_000_000 + 21,
        "after the end of the one before"
    );
    assert!(
        told.iter()
            .any(|e| e.event_type == EventType::Sample
                && e.fields.get("memory_used_bytes").is_some())
    );
}

/// Compose makes the new container under another name with the same labels while the old one runs.
#[tokio::test]
async fn compose_recreates_without_a_second_entity() {
    let labels = json!({"com.docker.compose.project": "media", "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1", "com.docker.compose.oneoff": "False"});
    let replica = |id: &str, name: &str, image: &str, state: &str, created: i64| {
        let mut made = container(id, name, image, state, created);
        made["Labels"] = labels.clone();
        made
    };
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = vec![replica("old", "media-web-1", "app:1", "running", 10)];
    });
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let mut attributes = labels.clone();
    attributes["name"] = json!("0f_media-web-1");
    attributes["image"] = json!("app:2");
    fake.tell(START + 1, "new", "create", attributes.clone())
        .await;
    fake.set(|state| {
        state
            .containers
            .push(replica("new", "0f_media-web-1", "app:2", "created", 20));
    });
    listen(&mut docker).await;
    for _ in 0..3 {
        let told = poll(&mut docker).await;
        assert_eq!(changes(&told), []);
        assert!(
            told.iter()
                .all(|e| e.entity.entity_type.as_str() != "container"
                    || e.entity.id.as_str() == "media/web/1")
        );
    }
    fake.tell(START + 2_000_000, "old", "die", json!({"exitCode": "0"}))
        .await;
    fake.tell(START + 3_000_000, "old", "destroy", json!({}))
        .await;
    attributes["name"] = json!("media-web-1");
    attributes["oldName"] = json!("/0f_media-web-1");
    fake.tell(START + 4_000_000, "new", "rename", attributes.clone())
        .await;
    fake.tell(START + 5_000_000, "new", "start", attributes)
        .await;
    fake.set(|state| {
        state.containers = vec![replica("new", "media-web-1", "app:2", "running", 20)];
    });
    let (told, _) = listen(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("media/web/1", "die", "exited"),
            ("media/web/1", "destroy", "removed")
        ]
    );
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("media/web/1", "recreated", ""),
            ("media/web/1", "rename", "created"),
            ("media/web/1", "start", "running"),
        ]
    );
}

#[tokio::test]
async fn a_container_that_lives_between_two_lists_is_told() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let who = json!({"name": "job", "image": "app:1"});
    for (after, action) in [(1, "create"), (2, "start"), (3, "die"), (4, "destroy")] {
        let mut attributes = who.clone();
        attributes["exitCode"] = json!("3");
        fake.tell(START + after * 1_000_000, "cccc", action, attributes)
            .await;
    }
    listen(&mut docker).await;
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("job", "start", "running"),
            ("job", "die", "exited"),
            ("job", "destroy", "removed")
        ]
    );
    assert!(
        poll(&mut docker)
            .await
            .iter()
            .all(|event| event.entity.id.as_str() != "job")
    );
}

#[tokio::test]
async fn a_renamed_container_goes_on_under_its_new_name() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.tell(
        START + 1_000_000,
        "aaaaaaaaaaaaaaaa",
        "rename",
        json!({"name": "site", "oldName": "/web"}),
    )
    .await;
    fake.set(|state| state.containers[0]["Names"] = json!(["/site"]));
    let (told, poll_now) = listen(&mut docker).await;
    assert_eq!(changes(&told), [("web", "rename", "running")]);
    assert!(poll_now);
    let told = poll(&mut docker).await;
    assert_eq!(changes(&told), [("web", "renamed", "removed")]);
    assert_eq!(text(of(&told, "site"), "state"), "running");
}
