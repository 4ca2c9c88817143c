use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use control::{ControlStore, Session, SessionId, SigningKey, StoreError};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode, decode_header, encode,
};
use schemas::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::options::millis;
use crate::ApiError;

/// The one algorithm; a token that names another is refused.
const ALGORITHM: Algorithm = Algorithm::HS256;
const ISSUER: &str = "homelog";
const AUDIENCE: &str = "homelog-api";
/// Kind of the token, RFC 9068. Refresh tokens, tickets and API tokens are no JWTs, so that none can stand for another.
const TYPE: &str = "at+jwt";
/// How far the clocks of two API processes may be apart, in seconds.
const SKEW_S: i64 = 5;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 2048;
/// Keys are read again after this, since another process may have replaced them, in milliseconds.
const FRESH_MS: i64 = 60_000;
/// An unknown key is looked for at most this often, in milliseconds.
const LOOK_MS: i64 = 1000;

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    /// Name of the user.
    pub(super) sub: String,
    sid: String,
    /// The user's epoch.
    pub(super) epoch: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Claims {
    pub(super) fn session(&self) -> SessionId {
        SessionId::new(&self.sid)
    }

    pub(super) fn expires(&self) -> Timestamp {
        Timestamp::from_millis(self.exp.saturating_mul(1000))
    }
}

struct Ring {
    keys: Vec<SigningKey>,
    read: Timestamp,
}

/// Signs and verifies access tokens.
pub(super) struct Keys(RwLock<Arc<Ring>>);

impl Keys {
    pub(super) async fn load(
        control: &dyn ControlStore,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self(RwLock::new(Arc::new(read(control, now).await?))))
    }

    /// The keys of this moment; with an id that is not among them they are read again.
    async fn ring(
        &self,
        control: &dyn ControlStore,
        wanted: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Ring>, StoreError> {
        let ring = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let is_known = wanted.is_none_or(|id| ring.keys.iter().any(|key| key.id == id));
        let age = now.since(ring.read);
        if (0..FRESH_MS).contains(&age) && (is_known || age < LOOK_MS) {
            return Ok(ring);
        }
        let fresh = Arc::new(read(control, now).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// A token for a session. It never outlives the session.
    pub(super) async fn sign(
        &self,
        control: &dyn ControlStore,
        session: &Session,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        let ring = self.ring(control, None, now).await?;
        let key = ring.signing()?;
        let seconds = now.as_millis().div_euclid(1000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: session.user.as_str().to_owned(),
            sid: session.id.as_str().to_owned(),
            epoch: session.epoch,
            iat: seconds,
            nbf: seconds - SKEW_S,
            exp: now
                .plus_millis(millis(ttl))
                .min(session.expires)
                .as_millis()
                .div_euclid(1000),
        };
        let mut header = Header::new(ALGORITHM);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        encode(&header, &claims, &EncodingKey::from_secret(key.secret()))
            .map_err(|e| ApiError::internal(&e))
    }

    /// What a token says, if it is one of ours, whole, and good at this instant.
    pub(super) async fn verify(
        &self,
        control: &dyn ControlStore,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Claims>, ApiError> {
        if token.len() > MAX_TOKEN {
            return Ok(None);
        }
        // read before it is verified: only to choose among our own keys
        let Some(header) = decode_header(token).ok().filter(is_ours) else {
            return Ok(None);
        };
        let ring = self.ring(control, header.kid.as_deref(), now).await?;
        let key = ring.keys.iter().find(|key| {
            Some(&*key.id) == header.kid.as_deref()
                && key.retires.is_none_or(|retires| now < retires)
        });
        let Some(key) = key else {
            return Ok(None);
        };
        let mut validation = Validation::new(ALGORITHM);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let decoded = decode::<Claims>(token, &DecodingKey::from_secret(key.secret()), &validation);
        Ok(decoded.ok().map(|data| data.claims))
    }

    /// The refresh token after a refresh token. It follows from it by the key, so that a browser whose answer was lost gets
    /// the same one again, while nobody without the key can foretell it.
    pub(super) async fn successor(
        &self,
        control: &dyn ControlStore,
        refresh: &str,
        now: Timestamp,
    ) -> Result<SecretString, ApiError> {
        let ring = self.ring(control, None, now).await?;
        let key = EncodingKey::from_secret(ring.signing()?.secret());
        // no JWT begins like this, so that neither signature can stand for the other
        let message = format!("refresh token after {refresh}");
        crypto::sign(message.as_bytes(), &key, ALGORITHM)
            .map(SecretString::from)
            .map_err(|e| ApiError::internal(&e))
    }
}

impl Ring {
    fn signing(&self) -> Result<&SigningKey, ApiError> {
        self.keys
            .iter()
            .find(|key| key.retires.is_none())
            .ok_or_else(|| ApiError::internal(&"the control store gave no signing key"))
    }
}

async fn read(control: &dyn ControlStore, now: Timestamp) -> Result<Ring, StoreError> {
    Ok(Ring {
        keys: control.signing_keys(now).await?,
        read: now,
    })
}

fn is_ours(header: &Header) -> bool {
    header.alg == ALGORITHM && header.typ.as_deref() == Some(TYPE) && header.crit.is_none()
}
