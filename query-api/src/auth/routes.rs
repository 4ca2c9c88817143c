use std::sync::Arc;

use axum::extract::FromRef;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Auth, login, preferences, setup, ticket, token, user};

/// The routes of identity and of what belongs to one user.
pub(crate) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Auth>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(setup::state, setup::complete))
        .routes(routes!(login::login))
        .routes(routes!(login::refresh))
        .routes(routes!(login::logout))
        .routes(routes!(ticket::issue))
        .routes(routes!(user::list, user::create))
        .routes(routes!(user::update, user::delete))
        .routes(routes!(token::list, token::create))
        .routes(routes!(token::revoke))
        .routes(routes!(preferences::get, preferences::put))
}
