//! Laws about the names by which sources are shown.

use std::sync::Arc;

use schemas::SourceName;

use crate::{ControlStore, DisplayName};

/// A source is shown by the name that it was given last, until it has its own again.
pub async fn a_source_is_shown_by_the_name_it_was_given_last(store: Arc<dyn ControlStore>) {
    let source = |text: &str| SourceName::new(text).expect("a valid name");
    let name = |text: &str| DisplayName::new(text).expect("a valid name");
    let shown = || async {
        let names = store.display_names().await.unwrap();
        names
            .iter()
            .map(|(source, name)| format!("{source}={name}"))
            .collect::<Vec<_>>()
    };
    assert!(shown().await.is_empty());
    for (of, given) in [("nas1", "Cellar"), ("nas2", "Attic"), ("nas1", "Küche")] {
        store
            .set_display_name(&source(of), Some(&name(given)))
            .await
            .unwrap();
    }
    assert_eq!(shown().await, ["nas1=Küche", "nas2=Attic"]);
    for _ in 0..2 {
        store.set_display_name(&source("nas2"), None).await.unwrap();
        assert_eq!(shown().await, ["nas1=Küche"]);
    }
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.display_names.len(), 1, "it moves house too");
}
