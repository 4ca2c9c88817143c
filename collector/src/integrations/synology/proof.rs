//! What proves to DSM who logs in: the password, and where it wants a second factor a one-time code, or the token that it gave
//! this device for such a code.

use secrecy::{ExposeSecret, SecretString};

use crate::service::Secret;

/// How a device is called, in DSM's list of those that need no code.
const DEVICE: &str = "Homelog";

/// The secrets of one user.
pub(super) struct Proof {
    password: Secret,
    /// Empty where there is none.
    device_token: Secret,
    /// For the next login.
    code: Option<SecretString>,
    /// What DSM gave for a code.
    given: Option<SecretString>,
}

/// What a login was made with, which tells what a refusal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Second {
    Nothing,
    Code,
    Token,
}

impl Proof {
    pub(super) const fn new(password: Secret, device_token: Secret) -> Self {
        Self {
            password,
            device_token,
            code: None,
            given: None,
        }
    }

    /// Takes a code for the next login.
    pub(super) fn take_code(&mut self, code: &str) {
        self.code = Some(SecretString::from(code));
    }

    /// What the next login shows besides the password. A code is good once.
    pub(super) fn second(&mut self) -> (Second, Vec<(&'static str, SecretString)>) {
        let device = || ("device_name", SecretString::from(DEVICE));
        match self.code.take() {
            Some(code) => (
                Second::Code,
                vec![
                    ("otp_code", code),
                    ("enable_device_token", SecretString::from("yes")),
                    device(),
                ],
            ),
            None if self.device_token.is_empty() => (Second::Nothing, Vec::new()),
            None => (
                Second::Token,
                vec![("device_id", self.device_token.get().clone()), device()],
            ),
        }
    }

    pub(super) fn password(&self) -> &str {
        self.password.expose()
    }

    /// Takes what DSM gave for a code. It knows this device by it from now on, also where it is asked again before anybody wrote
    /// it down.
    pub(super) fn keep(&mut self, token: &str) {
        self.given = Some(SecretString::from(token));
        self.device_token = Secret::from(token);
    }

    /// What DSM gave for a code, once.
    pub(super) fn given(&mut self) -> Option<SecretString> {
        self.given.take()
    }

    /// All that no message may repeat.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let all = [self.password.expose(), self.device_token.expose()];
        all.into_iter()
            .chain(self.code.as_ref().map(ExposeSecret::expose_secret))
    }
}
