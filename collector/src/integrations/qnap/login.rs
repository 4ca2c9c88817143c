//! What goes into a login and what its answer means.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;

use super::{value::integer, xml::Element};
use crate::{FailureClass, PollError, service::Secret};

/// Longest session id; real ones have 8 characters.
const LONGEST_SID: usize = 256;
/// A NAS that starts takes minutes.
const BOOTING_RETRY: Duration = Duration::from_secs(30);

/// A login that succeeded.
pub(super) struct Entered {
    pub(super) sid: SecretString,
    /// Only administrators may read the system.
    pub(super) is_admin: bool,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Let in, but without a session.
    NoSession,
    BadSession,
    Booting,
    /// A peer of its high-availability cluster has taken over.
    Moved,
    SecondFactor,
    Expired,
    Password(i64),
    NotUnderstood,
}

/// The password as its login page encodes it.
pub(super) fn encode(password: &Secret) -> SecretString {
    SecretString::from(STANDARD.encode(password.expose()))
}

/// Reads an answer to a login.
pub(super) fn understand(reply: &Element) -> Result<Entered, Refusal> {
    let is = |name: &str| reply.text(name) == Some("1");
    // a NAS that starts refuses everybody
    if is("is_booting") {
        return Err(Refusal::Booting);
    }
    match reply.text("authPassed") {
        Some("1") => {}
        Some("0") if reply.text("ha_active_ip").is_some() => return Err(Refusal::Moved),
        Some("0") if is("need_2sv") || is("force_2sv") => return Err(Refusal::SecondFactor),
        Some("0") if is("user_pw_expiry") || is("pw_status") => return Err(Refusal::Expired),
        Some("0") => {
            return Err(Refusal::Password(
                integer(reply, "errorValue").unwrap_or(-1),
            ));
        }
        _ => return Err(Refusal::NotUnderstood),
    }
    let Some(sid) = reply.text("authSid") else {
        return Err(match () {
            () if is("need_2sv") || is("force_2sv") => Refusal::SecondFactor,
            () if is("user_pw_expiry") || is("pw_status") => Refusal::Expired,
            () => Refusal::NoSession,
        });
    };
    if sid.len() > LONGEST_SID || !sid.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Refusal::BadSession);
    }
    Ok(Entered {
        sid: SecretString::from(sid),
        is_admin: reply.text("isAdmin") != Some("0"),
    })
}

impl Refusal {
    pub(super) fn explain(self, base: &str, user: &str) -> PollError {
        let (class, why, retry_after) = match self {
            Self::NoSession => (
                FailureClass::BadAnswer,
                format!("accepts the password of {user}, but gives no session"),
                None,
            ),
            Self::BadSession => (
                FailureClass::BadAnswer,
                "gives a session id that is none".to_owned(),
                None,
            ),
            Self::Booting => (
                FailureClass::Unreachable,
                "is still starting: it is asked again in half a minute".to_owned(),
                Some(BOOTING_RETRY),
            ),
            Self::Moved => (
                FailureClass::Other,
                "has given its service to its peer of the high-availability cluster: set url to the address of the cluster"
                    .to_owned(),
                None,
            ),
            Self::SecondFactor => (
                FailureClass::BadCredentials,
                format!(
                    "wants a second factor of {user}: use a user of its own without 2-step verification"
                ),
                None,
            ),
            Self::Expired => (
                FailureClass::BadCredentials,
                format!(
                    "wants a new password of {user}: log in there once and set one, or exempt it from password expiry"
                ),
                None,
            ),
            Self::Password(code) => (
                FailureClass::BadCredentials,
                format!(
                    "does not accept user {user} with this password (error {code}): correct them; they are tried again in 15 minutes"
                ),
                None,
            ),
            Self::NotUnderstood => (
                FailureClass::BadAnswer,
                "answers a login with neither yes nor no: check url and port".to_owned(),
                None,
            ),
        };
        let mut error = PollError::new(class, format!("QNAP at {base} {why}"));
        error.retry_after = retry_after;
        error
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn read(text: &str) -> Result<(String, bool), Refusal> {
        understand(&parse(&format!("<QDocRoot>{text}</QDocRoot>")).unwrap())
            .map(|entered| (entered.sid.expose_secret().to_owned(), entered.is_admin))
    }

    #[test]
    fn a_password_is_encoded_as_utf_8() {
        let password: Secret = serde_json::from_str("\"pä+/=ß\"").unwrap();
        assert_eq!(encode(&password).expose_secret(), "cMOkKy89w58=");
    }

    #[test]
    fn an_answer_to_a_login_has_its_meaning() {
        let passed = "<authPassed>1</authPassed>";
        let refused = "<authPassed>0</authPassed>";
        for (text, meaning) in [
            (
                format!("{passed}<authSid>abc</authSid><isAdmin>1</isAdmin>"),
                Ok(("abc".to_owned(), true)),
            ),
            (
                format!("{passed}<authSid>abc</authSid><isAdmin>0</isAdmin>"),
                Ok(("abc".to_owned(), false)),
            ),
            (
                format!("{passed}<pw_status>0</pw_status><authSid>abc</authSid>"),
                Ok(("abc".to_owned(), true)),
            ),
            (passed.to_owned(), Err(Refusal::NoSession)),
            (
                format!("{passed}<need_2sv>1</need_2sv>"),
                Err(Refusal::SecondFactor),
            ),
            (
                format!("{passed}<user_pw_expiry>1</user_pw_expiry>"),
                Err(Refusal::Expired),
            ),
            (
                format!("{passed}<authSid>a b</authSid>"),
                Err(Refusal::BadSession),
            ),
            (
                format!("{passed}<authSid>{}</authSid>", "x".repeat(300)),
                Err(Refusal::BadSession),
            ),
            (
                format!("{refused}<errorValue>-1</errorValue>"),
                Err(Refusal::Password(-1)),
            ),
            (
                format!("{refused}<errorValue>-6</errorValue>"),
                Err(Refusal::Password(-6)),
            ),
            (
                format!("{refused}<need_2sv>1</need_2sv>"),
                Err(Refusal::SecondFactor),
            ),
            (
                format!("{refused}<force_2sv>1</force_2sv>"),
                Err(Refusal::SecondFactor),
            ),
            (
                format!("{refused}<pw_status>1</pw_status>"),
                Err(Refusal::Expired),
            ),
            (
                format!("{refused}<ha_active_ip>192.0.2.9</ha_active_ip>"),
                Err(Refusal::Moved),
            ),
            (
                format!("{refused}<is_booting>1</is_booting>"),
                Err(Refusal::Booting),
            ),
            (String::new(), Err(Refusal::NotUnderstood)),
            (
                "<authPassed>maybe</authPassed>".to_owned(),
                Err(Refusal::NotUnderstood),
            ),
        ] {
            assert_eq!(read(&text), meaning, "{text}");
        }
    }
}
