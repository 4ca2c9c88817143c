//! Who asks, and what they may do.
//!
//! [`Auth`] turns an access token, an API token or a ticket into a [`Caller`]. [`layer()`] stands before every route: it
//! looks the route up in one table and refuses what is not there. The handlers under `/auth` let people in and out.

mod access;
mod body;
mod caller;
mod cookie;
mod enrol;
mod keys;
mod layer;
mod login;
mod options;
mod preferences;
mod refusal;
mod routes;
mod setup;
mod throttle;
mod ticket;
mod token;
mod user;

#[cfg(test)]
pub(crate) use access::table;
pub(crate) use access::{Access, access_of};
pub(crate) use body::Body;
pub use caller::Caller;
pub(crate) use layer::layer;
pub use options::AuthOptions;
pub(crate) use routes::routes;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use control::{
    ApiToken, AuditEntry, ControlStore, Passwords, Principal, SecretHash, Session, StoreError,
    TicketUse, TokenSecret, random_secret,
};
use schemas::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;
use tracing::{error, warn};

use crate::{ApiError, guard::Guard};
use keys::Keys;
use throttle::Throttle;

/// A use of an API token is noted at most this often, in milliseconds.
const TOUCH_MS: i64 = 60_000;
/// A signing key is replaced at a start when it is older than this, in milliseconds.
const KEY_AGE_MS: i64 = 180 * 86_400_000;

/// A ticket and what it is used for.
#[derive(Clone, Copy, Debug)]
pub struct PresentedTicket<'a> {
    /// The `ticket` parameter.
    pub ticket: &'a str,
    /// One WebSocket, or one event stream.
    pub usage: TicketUse,
}

/// Identity and access of the whole API.
pub struct Auth {
    control: Arc<dyn ControlStore>,
    options: AuthOptions,
    guard: Guard,
    passwords: Passwords,
    keys: Keys,
    throttle: Throttle,
    changes: watch::Sender<u64>,
}

impl Auth {
    /// Takes the control store in use; the first time makes the key that signs access tokens.
    ///
    /// # Errors
    /// The control store failed.
    pub async fn open(
        control: Arc<dyn ControlStore>,
        options: AuthOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let now = Timestamp::now();
        let keys = control.signing_keys(now).await?;
        let is_old = keys
            .iter()
            .find(|key| key.retires.is_none())
            .is_some_and(|key| now.since(key.created) > KEY_AGE_MS);
        if is_old {
            let retire = now.plus_millis(options::millis(options.access_ttl));
            control.rotate_signing_key(now, retire).await?;
        }
        let keys = Keys::load(&*control, now).await?;
        Ok(Arc::new(Self {
            guard: Guard::new(&options),
            passwords: Passwords::new(),
            keys,
            throttle: Throttle::default(),
            changes: watch::Sender::new(0),
            control,
            options,
        }))
    }

    /// Makes a new one-time set-up token, which replaces an earlier one; none when there is a user already.
    ///
    /// # Errors
    /// The control store failed.
    pub async fn offer_setup(&self) -> Result<Option<SecretString>, StoreError> {
        let token = random_secret().map_err(|e| StoreError::Failed {
            store: "set-up token".to_owned(),
            cause: e.to_string(),
        })?;
        let offered = self
            .control
            .offer_setup(&SecretHash::of_secret(&token))
            .await?;
        Ok(offered.then_some(token))
    }

    /// Finds out who asks.
    ///
    /// # Errors
    /// 401 without a token or ticket, or with one that is not good (any more).
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        ticket: Option<PresentedTicket<'_>>,
    ) -> Result<Caller, ApiError> {
        let now = Timestamp::now();
        if let Some(credential) = bearer(headers)? {
            return self.known(credential).await;
        }
        if let Some(presented) = ticket {
            let caller = self.by_ticket(presented, now).await?;
            return caller.ok_or_else(|| {
                refusal::unauthorized(
                    "this ticket is not good (any more): get another from /auth/ticket",
                )
            });
        }
        Err(refusal::unauthorized(
            "log in first: this needs an access token or an API token in the header `Authorization: Bearer …`",
        ))
    }

    /// Finds out whose an API token or an access token is.
    ///
    /// # Errors
    /// 401 for one that is not good (any more).
    pub(crate) async fn known(&self, credential: &str) -> Result<Caller, ApiError> {
        let now = Timestamp::now();
        if TokenSecret::is_one(credential) {
            let token = self.by_token(credential, now).await?;
            return token.ok_or_else(|| {
                refusal::unauthorized("this API token is not good: it may be expired or revoked")
            });
        }
        let caller = self.by_access_token(credential, now).await?;
        caller.ok_or_else(|| {
            refusal::unauthorized(
                "this access token is not good (any more): log in again or refresh it",
            )
        })
    }

    /// Whether a caller may go on: the session or token lives and still has the same role. Open streams ask this now and
    /// then, and whenever [`Auth::changes`] moves.
    pub async fn still_valid(&self, caller: &Caller) -> bool {
        let now = Timestamp::now();
        if caller.expires.is_some_and(|expires| expires <= now) {
            return false;
        }
        let current = match (&caller.session, &caller.token) {
            (Some(id), _) => self
                .control
                .session(id, now)
                .await
                .map(|found| found.map(Caller::of_session)),
            (None, Some(id)) => self
                .control
                .api_token(id, None, now)
                .await
                .map(|found| found.map(Caller::of_token)),
            (None, None) => Ok(None),
        };
        match current {
            Ok(current) => current.is_some_and(|current| current.is_same_as(caller)),
            Err(e) => {
                error!("a live stream is ended since its user cannot be checked: {e}");
                false
            }
        }
    }

    /// Moves when somebody logged out here, or a user or token changed here. Changes by other processes do not move it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Which hosts, origins and networks are let in.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    async fn by_access_token(
        &self,
        credential: &str,
        now: Timestamp,
    ) -> Result<Option<Caller>, ApiError> {
        let Some(claims) = self.keys.verify(&*self.control, credential, now).await? else {
            return Ok(None);
        };
        let session = self.control.session(&claims.session(), now).await?;
        Ok(session
            .filter(|session| session.epoch == claims.epoch && session.user.as_str() == claims.sub)
            .map(|session| {
                let mut caller = Caller::of_session(session);
                caller.expires = Some(claims.expires());
                caller
            }))
    }

    async fn by_token(&self, credential: &str, now: Timestamp) -> Result<Option<Caller>, ApiError> {
        let Some(secret) = TokenSecret::parse(credential) else {
            return Ok(None);
        };
        let found = self
            .control
            .api_token(&secret.id, Some(&secret.hash()), now)
            .await?;
        if let Some(token) = &found {
            self.touch(token, now).await;
        }
        Ok(found.map(Caller::of_token))
    }

    /// A use that cannot be noted is no reason to refuse it.
    async fn touch(&self, token: &ApiToken, now: Timestamp) {
        if token
            .last_used
            .is_some_and(|used| now.since(used) < TOUCH_MS)
        {
            return;
        }
        if let Err(e) = self.control.touch_api_token(&token.id, now).await {
            warn!(
                token.id = token.id.as_str(),
                "use of a token was not noted: {e}"
            );
        }
    }

    async fn by_ticket(
        &self,
        presented: PresentedTicket<'_>,
        now: Timestamp,
    ) -> Result<Option<Caller>, ApiError> {
        let hash = SecretHash::of(presented.ticket);
        let owner = self
            .control
            .redeem_ticket(&hash, presented.usage, now)
            .await?;
        Ok(match owner {
            None => None,
            Some(Principal::Session(id)) => self
                .control
                .session(&id, now)
                .await?
                .map(Caller::of_session),
            Some(Principal::Token(id)) => self
                .control
                .api_token(&id, None, now)
                .await?
                .map(Caller::of_token),
        })
    }

    /// Signs an access token for a session.
    async fn access_token(&self, session: &Session, now: Timestamp) -> Result<String, ApiError> {
        self.keys
            .sign(&*self.control, session, self.options.access_ttl, now)
            .await
    }

    /// Adds to the audit trail. What was done stays done when that fails, but somebody must hear of it.
    pub(crate) async fn audit(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        from: std::net::IpAddr,
        done: bool,
    ) {
        let entry = AuditEntry {
            time: Timestamp::now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            from: from.to_string(),
            done,
        };
        if let Err(e) = self.control.record(entry).await {
            error!(
                audit.action = action,
                "`{action}` is missing in the audit trail: {e}"
            );
        }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The credential of `Authorization: Bearer …`, or of `Token …` as InfluxDB's clients send it.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bad = || {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the header Authorization must be one `Bearer` and a token",
        )
    };
    if values.next().is_some() {
        return Err(bad());
    }
    let (scheme, credential) = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(bad)?;
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
        Ok(Some(credential.trim()))
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests;
