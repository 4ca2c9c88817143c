use schemas::{Timestamp, catalog::ValueType};

use super::{Harness, T, float, int, labelled, only, point, text, write};
use crate::{EntityState, Selection};

const BOX: &str = "server.docker/container/web";

async fn at(store: &std::sync::Arc<dyn crate::TimeSeries>, time: i64) -> Vec<EntityState> {
    store
        .state(&Selection::default(), Some(Timestamp::from_millis(time)))
        .await
        .unwrap()
        .entities
}

/// The newest value of every field, whenever it was observed.
pub async fn the_newest_values_are_known(harness: &dyn Harness) {
    let store = harness.open().await;
    write(
        &store,
        1,
        vec![point(BOX, T, &[("a", int(1)), ("b", int(1))])],
    )
    .await;
    write(&store, 2, vec![point(BOX, T + 5000, &[("a", int(2))])]).await;
    // late: newer for nothing
    write(
        &store,
        3,
        vec![point(BOX, T - 5000, &[("a", int(0)), ("c", text("x"))])],
    )
    .await;
    for _ in 0..2 {
        let state = store.state(&only(BOX), None).await.unwrap();
        let entity = &state.entities[0];
        assert_eq!(entity.kind.as_str(), "synology");
        assert_eq!(entity.agent.as_ref().unwrap().as_str(), "hub");
        let found: Vec<_> = entity
            .fields
            .iter()
            .map(|(name, latest)| {
                (
                    name.as_str(),
                    latest.value.clone(),
                    latest.time.as_millis() - T,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a", int(2), 5000),
                ("b", int(1), 0),
                ("c", text("x"), -5000)
            ]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// At any instant what was the newest then; an entity that was not yet seen is not there.
pub async fn the_past_is_as_it_was(harness: &dyn Harness) {
    let store = harness.open().await;
    for i in 0..200 {
        let offset = u64::try_from(i).unwrap() + 1;
        let mut points = vec![point(BOX, T + i * 1000, &[("n", int(i))])];
        if i == 100 {
            points.push(point("nas1/disk/sda", T + i * 1000, &[("x", float(0.5))]));
        }
        write(&store, offset, points).await;
        if i % 30 == 29 {
            store.flush().await.unwrap();
        }
    }
    for _ in 0..2 {
        assert!(at(&store, T - 1).await.is_empty());
        for i in [0, 1, 28, 29, 30, 99, 150, 180, 199] {
            for within in [0, 999] {
                let entities = at(&store, T + i * 1000 + within).await;
                let found = entities.iter().find(|e| e.key.to_string() == BOX).unwrap();
                assert_eq!(found.fields["n"].value, int(i));
                assert_eq!(found.fields["n"].time.as_millis(), T + i * 1000);
                assert_eq!(entities.len(), if i >= 100 { 2 } else { 1 });
            }
        }
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Also when they go back to what they were, and when a point with others comes late.
pub async fn labels_are_those_of_their_time(harness: &dyn Harness) {
    let store = harness.open().await;
    let image = |time: i64, image: &str| {
        labelled(point(BOX, T + time, &[("n", int(time))]), "image", image)
    };
    write(
        &store,
        1,
        vec![image(0, "v1"), image(10, "v1"), image(20, "v2")],
    )
    .await;
    store.flush().await.unwrap();
    write(
        &store,
        2,
        vec![image(30, "v1"), image(25, "v3"), image(5, "v0")],
    )
    .await;
    let wanted = [
        (0, "v1"),
        (4, "v1"),
        (5, "v0"),
        (9, "v0"),
        (10, "v1"),
        (20, "v2"),
        (25, "v3"),
        (29, "v3"),
        (30, "v1"),
        (99, "v1"),
    ];
    for _ in 0..2 {
        for (time, image) in wanted {
            let entities = at(&store, T + time).await;
            assert_eq!(&*entities[0].labels["image"], image, "at {time}");
        }
        let now = store.state(&only(BOX), None).await.unwrap();
        assert_eq!(&*now.entities[0].labels["image"], "v1");
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// However many points without it came in between.
pub async fn a_field_that_seldom_changes_is_found(harness: &dyn Harness) {
    let store = harness.open().await;
    write(
        &store,
        1,
        vec![point(BOX, T, &[("health", text("good")), ("n", int(0))])],
    )
    .await;
    for i in 1..500 {
        let offset = u64::try_from(i).unwrap() + 1;
        write(
            &store,
            offset,
            vec![point(BOX, T + i * 1000, &[("n", int(i))])],
        )
        .await;
        if i % 100 == 0 {
            store.flush().await.unwrap();
        }
    }
    write(
        &store,
        501,
        vec![point(BOX, T + 500_000, &[("health", text("bad"))])],
    )
    .await;
    for _ in 0..2 {
        let entities = at(&store, T + 499_500).await;
        assert_eq!(entities[0].fields["health"].value, text("good"));
        assert_eq!(entities[0].fields["health"].time.as_millis(), T);
        assert_eq!(entities[0].fields["n"].value, int(499));
        let entities = at(&store, T + 500_000).await;
        assert_eq!(entities[0].fields["health"].value, text("bad"));
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Also those of fields that are not durable yet; the first seen stays.
pub async fn field_types_are_remembered(harness: &dyn Harness) {
    let store = harness.open().await;
    let fields = [
        ("float", float(1.0)),
        ("int", int(1)),
        ("flag", schemas::FieldValue::Bool(true)),
        ("text", text("x")),
    ];
    write(&store, 1, vec![point("nas1/disk/sda", T, &fields)]).await;
    write(
        &store,
        2,
        vec![point("nas1/volume/v", T, &[("int", float(1.0))])],
    )
    .await;
    for _ in 0..2 {
        let types: Vec<_> = store
            .field_types()
            .await
            .unwrap()
            .into_iter()
            .map(|(entity, field, value)| (entity.to_string(), field.to_string(), value))
            .collect();
        let of = |entity: &str, field: &str, value| (entity.to_owned(), field.to_owned(), value);
        assert_eq!(
            types,
            [
                of("disk", "flag", ValueType::Bool),
                of("disk", "float", ValueType::Float),
                of("disk", "int", ValueType::Integer),
                of("disk", "text", ValueType::Text),
                of("volume", "int", ValueType::Float),
            ]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}
