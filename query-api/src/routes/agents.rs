use std::sync::Arc;

use axum::{Json, extract::State};
use schemas::{
    SourceName,
    api::{
        AgentSequence, AgentSequences, ClaimSources, ClaimedSources, ErrorAnswer, ForeignSource,
    },
    name::AgentName,
};
use tracing::info;

use crate::{
    ApiError, App,
    auth::{Body, Caller},
    guard::Client,
};

/// Most sources of one claim.
const MOST_SOURCES: usize = 1000;
/// Who has the sources that this process collects itself.
const HUB: &str = "the-hub";

fn agent_of(caller: Caller) -> Result<AgentName, ApiError> {
    caller
        .agent
        .ok_or_else(|| ApiError::internal(&"a route of agents was asked by somebody else"))
}

/// What the log has of the asking agent's sources: it goes on after that.
#[utoipa::path(
    get,
    path = "/api/v1/agents/self/sequences",
    tag = "agents",
    responses(
        (status = 200, description = "By source and epoch", body = AgentSequences),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 403, description = "Not the token of an agent", body = ErrorAnswer),
    )
)]
pub(crate) async fn sequences(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<AgentSequences>, ApiError> {
    let agent = agent_of(caller)?;
    let owners = app.owners.all(&app.services).await?;
    let sequences = app
        .services
        .log
        .sequences()
        .await?
        .into_iter()
        .filter(|state| owners.get(&state.source) == Some(&agent))
        .map(|state| AgentSequence {
            source: state.source,
            epoch: state.epoch,
            last_seq: state.last_seq,
            holes: state.holes,
        })
        .collect();
    Ok(Json(AgentSequences {
        agent: agent.to_string(),
        sequences,
    }))
}

/// Makes the asking agent the owner of sources: nobody else may push under their names.
#[utoipa::path(
    post,
    path = "/api/v1/agents/self/sources",
    tag = "agents",
    request_body = ClaimSources,
    responses(
        (status = 200, description = "All but those listed are the agent's", body = ClaimedSources),
        (status = 400, description = "No valid names", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 403, description = "Not the token of an agent", body = ErrorAnswer),
        (status = 409, description = "`too_many` sources, or `owner_has_token`: only the sources of an agent whose tokens were revoked are taken over", body = ErrorAnswer),
    )
)]
pub(crate) async fn claim(
    State(app): State<App>,
    caller: Caller,
    client: Client,
    Body(request): Body<ClaimSources, { 256 * 1024 }>,
) -> Result<Json<ClaimedSources>, ApiError> {
    let agent = agent_of(caller)?;
    if request.sources.len() > MOST_SOURCES {
        return Err(ApiError::bad_request(
            "too_many_sources",
            format!("claim at most {MOST_SOURCES} sources at once"),
        ));
    }
    let (own, free): (Vec<SourceName>, Vec<_>) = {
        let claimed = app.services.claimed.borrow();
        request
            .sources
            .into_iter()
            .partition(|source| claimed.contains(source))
    };
    let before = if request.take_over {
        app.owners.all(&app.services).await?
    } else {
        Arc::default()
    };
    let foreign = app
        .owners
        .claim(&app.services, &agent, &free, request.take_over)
        .await?;
    let taken: Vec<&str> = free
        .iter()
        .filter(|source| before.get(*source).is_some_and(|owner| *owner != agent))
        .filter(|source| foreign.iter().all(|kept| kept.source != **source))
        .map(SourceName::as_str)
        .collect();
    if !taken.is_empty() {
        info!(%agent, sources = taken.len(), "agent `{agent}` takes {} sources over", taken.len());
        let actor = format!("agent {agent}");
        let target = format!("{}: {}", taken.len(), taken.join(" "));
        app.services
            .auth
            .audit(&actor, "source.take_over", &target, client.address, true)
            .await;
    }
    let own = own.into_iter().map(|source| ForeignSource {
        source: source.to_string(),
        owner: HUB.to_owned(),
        since: None,
    });
    let others = foreign.into_iter().map(|owner| ForeignSource {
        source: owner.source.to_string(),
        owner: owner.owner.to_string(),
        since: owner.since.map(|since| since.to_string()),
    });
    Ok(Json(ClaimedSources {
        agent: agent.to_string(),
        foreign: own.chain(others).collect(),
    }))
}
