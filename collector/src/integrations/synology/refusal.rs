//! What DSM's error codes mean: it answers status 200 with a code in the body.

use std::time::Duration;

use super::proof::Second;
use crate::{FailureClass, PollError};

/// No permission, or, of some calls, no session.
pub(super) const NO_PERMISSION: i64 = 105;
/// Somebody logged in as the same user.
pub(super) const LOGGED_IN_ELSEWHERE: i64 = 107;

/// DSM blocks an address after ten wrong logins in five minutes: a refused login is not repeated soon.
const LOGIN_RETRY: Duration = Duration::from_mins(15);
/// A block ends by itself late or never.
const BLOCKED_RETRY: Duration = Duration::from_mins(30);

/// How a device gets to be known.
const MAKE_KNOWN: &str =
    "make this device known, once, with `homelog check --connect --source NAME --code 123456`";

/// What the code of a refused call means for what is done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// The session is over.
    SessionOver,
    /// This user may not.
    Forbidden,
    /// This DSM does not have it.
    Missing,
    /// Not now.
    Busy,
    /// Anything else.
    Other,
}

pub(super) const fn meaning(code: i64) -> Meaning {
    match code {
        106 | LOGGED_IN_ELSEWHERE | 119 | 150 => Meaning::SessionOver,
        NO_PERMISSION | 160 => Meaning::Forbidden,
        102..=104 => Meaning::Missing,
        // 1055 is of the utilisation, while its service starts
        100 | 109..=111 | 117 | 118 | 1055 => Meaning::Busy,
        _ => Meaning::Other,
    }
}

/// A login that was refused.
pub(super) fn of_login(code: i64, second: Second, username: &str, base: &str) -> PollError {
    use FailureClass::{BadAnswer, BadCredentials, NoPermission, RateLimited};
    let (class, what) = match code {
        400 => (
            BadCredentials,
            format!(
                "does not accept the user `{username}` with this password: set username and password"
            ),
        ),
        401 => (
            BadCredentials,
            format!(
                "has disabled the user `{username}`: enable it in Control Panel, User & Group"
            ),
        ),
        402 | 105 => (
            NoPermission,
            format!(
                "does not let the user `{username}` into DSM: allow it the application DSM in Control Panel, User & Group, \
                 Edit, Applications"
            ),
        ),
        403 if second == Second::Token => (
            BadCredentials,
            format!(
                "does not know this device any more and wants a second factor of the user `{username}`: {MAKE_KNOWN}, and set \
                 the new device_token"
            ),
        ),
        403 => (
            BadCredentials,
            format!(
                "wants a second factor of the user `{username}`: use a user of its own without one, or {MAKE_KNOWN}"
            ),
        ),
        404 => (
            BadCredentials,
            "does not accept this code: each is good for half a minute and once; try the next, and see whether the clocks are \
             right"
                .to_owned(),
        ),
        405 | 406 => (
            BadCredentials,
            format!(
                "wants the user `{username}` to set up a second factor first: except it from that rule, in Control Panel, \
                 Security, Account"
            ),
        ),
        407 => (
            RateLimited,
            "has blocked the address of this machine after too many wrong logins: set the right password, then remove the \
             address from the block list in Control Panel, Security, Protection"
                .to_owned(),
        ),
        408..=410 => (
            BadCredentials,
            format!(
                "wants a new password of the user `{username}`, whose password has expired or must be changed: log in to DSM \
                 once as that user, then set password"
            ),
        ),
        411 => (
            RateLimited,
            format!(
                "has locked the user `{username}` after too many wrong logins: set the right password, then unlock the user in \
                 Control Panel, or wait"
            ),
        ),
        code if matches!(meaning(code), Meaning::Busy) => {
            (BadAnswer, "is too busy for a login: it may be starting".to_owned())
        }
        _ => (BadAnswer, "refuses the login".to_owned()),
    };
    let mut error = PollError::new(
        class,
        format!("Synology DSM at {base} {what} (code {code})"),
    );
    error.retry_after = match class {
        RateLimited => Some(BLOCKED_RETRY),
        BadCredentials | NoPermission => Some(LOGIN_RETRY),
        _ => None,
    };
    error
}

/// A call that was refused in a session that was just made.
pub(super) fn of_call(code: i64, api: &str, username: &str, base: &str) -> PollError {
    let (class, what) = match (meaning(code), code) {
        (Meaning::Forbidden, _) => (
            FailureClass::NoPermission,
            format!(
                "does not allow {api} to the user `{username}`: delegate System Monitoring to it (DSM 7), or make it a member \
                 of administrators"
            ),
        ),
        (Meaning::SessionOver, 150) => (
            FailureClass::NoPermission,
            format!(
                "sees each request for {api} come from another address: ask it directly, not through a proxy that balances"
            ),
        ),
        (Meaning::SessionOver, _) => (
            FailureClass::NoPermission,
            format!(
                "lets us in, but then refuses {api}: see that nothing else uses the user `{username}`, and that nothing between \
                 changes requests"
            ),
        ),
        (Meaning::Missing, _) => (FailureClass::BadAnswer, format!("does not have {api}")),
        (Meaning::Busy, _) => (
            FailureClass::BadAnswer,
            format!("cannot answer {api} now: it may be starting"),
        ),
        (Meaning::Other, _) => (FailureClass::BadAnswer, format!("refuses {api}")),
    };
    PollError::new(
        class,
        format!("Synology DSM at {base} {what} (code {code})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_login_says_what_to_do() {
        use FailureClass::{BadAnswer, BadCredentials, NoPermission, RateLimited};
        for (code, class, fix) in [
            (400, BadCredentials, "set username and password"),
            (401, BadCredentials, "enable it"),
            (402, NoPermission, "Applications"),
            (403, BadCredentials, "second factor"),
            (404, BadCredentials, "try the next"),
            (406, BadCredentials, "except it"),
            (407, RateLimited, "block list"),
            (408, BadCredentials, "expired"),
            (409, BadCredentials, "expired"),
            (410, BadCredentials, "must be changed"),
            (411, RateLimited, "unlock"),
            (100, BadAnswer, "busy"),
            (9999, BadAnswer, "refuses the login"),
        ] {
            let error = of_login(code, Second::Nothing, "homelog", "https://nas1:5001");
            assert_eq!(error.class, class, "{error}");
            assert!(error.message.contains(fix), "{error}");
            assert!(error.message.contains(&code.to_string()), "{error}");
            assert_eq!(
                error.retry_after.is_some(),
                class != BadAnswer,
                "{code}: a refused login counts towards a block"
            );
        }
        let error = of_login(403, Second::Token, "homelog", "https://nas1:5001");
        assert_eq!(error.class, BadCredentials, "{error}");
        assert!(error.message.contains("any more"), "{error}");
    }

    #[test]
    fn codes_of_calls_are_told_apart() {
        for (code, is) in [
            (105, Meaning::Forbidden),
            (160, Meaning::Forbidden),
            (106, Meaning::SessionOver),
            (107, Meaning::SessionOver),
            (119, Meaning::SessionOver),
            (102, Meaning::Missing),
            (104, Meaning::Missing),
            (100, Meaning::Busy),
            (1055, Meaning::Busy),
            (101, Meaning::Other),
        ] {
            assert_eq!(meaning(code), is, "{code}");
        }
        let refused = of_call(105, "SYNO.Core.System", "homelog", "x");
        assert_eq!(refused.class, FailureClass::NoPermission);
        assert!(refused.message.contains("System Monitoring"), "{refused}");
    }
}
