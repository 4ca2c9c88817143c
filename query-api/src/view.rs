//! The ready-made views: the newest state of sources of some kinds, sorted into what they are.
//!
//! Types of entities that only one kind of source has may begin with it: a `qnap_disk` of a source of kind `qnap` is a `disk`
//! like any other, and a `qnap` is the thing itself.

use std::collections::{BTreeMap, HashMap};

use axum::http::Uri;
use schemas::{
    Timestamp,
    api::{ApiValue, SourceInfo, SourceState, ViewItem},
};
use time_series::{EntityState, Selection};

use crate::{
    ApiError, App, convert,
    params::Params,
    source_info::{last_seen, sources_of},
    source_status::{ENTITY_TYPE as SOURCE, is_removed, removals},
};

/// What a view may be asked for, as the description of the API has it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it describes the parameters, which `Params` reads"
)]
pub(crate) struct ViewParams {
    /// Names of sources; repeatable or a list joined by commas.
    source: Option<Vec<String>>,
    /// An instant: RFC 3339, `now`, `-6h` or a Unix number. The view is as it was then.
    at: Option<String>,
}

/// What of a source's things is the one that it watches as a whole.
pub(crate) const ITSELF: &str = "";

/// What the sources of some kinds observe.
pub(crate) struct View {
    pub(crate) position: String,
    /// By name.
    pub(crate) sources: Vec<SourceInfo>,
    items: BTreeMap<String, Vec<ViewItem>>,
}

impl View {
    /// Reads the view that a request asks for.
    ///
    /// # Errors
    /// A parameter is wrong, or the store cannot answer.
    pub(crate) async fn read(app: &App, uri: &Uri, kinds: &[&str]) -> Result<Self, ApiError> {
        let params = Params::read(uri, &["source", "at"])?;
        let selection = Selection {
            sources: params.list("source")?,
            ..Selection::default()
        };
        let now = Timestamp::now();
        let at = params.time("at", now)?;
        app.rebuilt().await?;
        let _place = app.query_place().await?;
        let state = app.services.store.state(&selection, at).await?;
        // who asks for a source sees it though it is removed
        let removals = if selection.sources.is_empty() {
            removals(state.entities.iter())
        } else {
            HashMap::new()
        };
        let entities = || {
            state
                .entities
                .iter()
                .filter(|entity| kinds.contains(&entity.kind.as_str()))
                .filter(|entity| !is_removed(entity, &removals))
        };
        // nothing was missed yet of what is to come
        let as_of = at.map_or(now, |at| at.min(now));
        let sources = sources_of(app, entities(), as_of).await?;
        let mut items: BTreeMap<String, Vec<ViewItem>> = BTreeMap::new();
        for entity in entities().filter(|e| e.key.entity_type.as_str() != SOURCE) {
            let source_state = sources
                .get(&entity.key.source)
                .map_or(SourceState::Pushed, |source| source.state);
            items
                .entry(bare_type(entity).to_owned())
                .or_default()
                .push(item_of(entity, source_state));
        }
        Ok(Self {
            position: state.position.to_string(),
            sources: sources.into_values().collect(),
            items,
        })
    }

    /// Takes what is of a type, by key; the type without the kind of its source before it.
    pub(crate) fn take(&mut self, bare_type: &str) -> Vec<ViewItem> {
        self.items.remove(bare_type).unwrap_or_default()
    }

    /// Takes all that is left, by type and key.
    pub(crate) fn take_all(&mut self) -> Vec<ViewItem> {
        std::mem::take(&mut self.items)
            .into_values()
            .flatten()
            .collect()
    }
}

/// The type of an entity without the kind of its source before it.
fn bare_type(entity: &EntityState) -> &str {
    let whole = entity.key.entity_type.as_str();
    match whole.strip_prefix(entity.kind.as_str()) {
        Some(ITSELF) => ITSELF,
        Some(rest) => rest.strip_prefix('_').unwrap_or(whole),
        None => whole,
    }
}

fn item_of(entity: &EntityState, source_state: SourceState) -> ViewItem {
    let labels = convert::labels(&entity.labels);
    let id = entity.key.id.to_string();
    ViewItem {
        key: entity.key.to_string(),
        source: entity.key.source.to_string(),
        source_state,
        entity_type: entity.key.entity_type.to_string(),
        name: labels.get("name").unwrap_or(&id).clone(),
        id,
        last_seen: last_seen(entity),
        labels,
        fields: entity
            .fields
            .iter()
            .map(|(name, latest)| (name.to_string(), ApiValue(latest.value.clone())))
            .collect(),
    }
}
