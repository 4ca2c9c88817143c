//! Passwords: what is refused, and argon2id hashes of the rest.

mod common;
mod hash;

pub use hash::{HashError, PasswordHash, Passwords};

use secrecy::{ExposeSecret, SecretString};

use crate::{limits, user::Username};

/// Why a password is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Guessed too quickly.
    #[error(
        "the password is too short: use at least {} characters",
        limits::PASSWORD_MIN
    )]
    Short,
    /// Longer than anybody types.
    #[error("the password is too long: use at most {} bytes", limits::PASSWORD_MAX)]
    Long,
    /// Among the first that are tried.
    #[error("the password is one of the commonest: use another, such as a few words in a row")]
    Common,
    /// The first that is tried.
    #[error("the password is made of the user name: use another")]
    Name,
}

/// Whether a new password may be used. There are no rules on its composition.
///
/// # Errors
/// Says which rule it breaks; never shows the password.
pub fn check(user: &Username, password: &SecretString) -> Result<(), WeakPassword> {
    let text = password.expose_secret();
    if text.len() > limits::PASSWORD_MAX {
        return Err(WeakPassword::Long);
    }
    if text.chars().count() < limits::PASSWORD_MIN {
        return Err(WeakPassword::Short);
    }
    let lower = text.to_lowercase();
    let core = common::without_edges(&lower);
    if lower == user.as_str() || core == user.as_str() || lower == user.as_str().repeat(2) {
        return Err(WeakPassword::Name);
    }
    if common::is_common(&lower) {
        return Err(WeakPassword::Common);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, password: &str) -> Result<(), WeakPassword> {
        check(
            &Username::new(name).unwrap(),
            &SecretString::from(password.to_owned()),
        )
    }

    #[test]
    fn weak_passwords_are_refused_with_their_reason() {
        for (password, why) in [
            ("short", WeakPassword::Short),
            ("ninechars", WeakPassword::Short),
            (&*"x1".repeat(200), WeakPassword::Long),
            ("1234567890", WeakPassword::Common),
            ("Password123", WeakPassword::Common),
            ("P@ssw0rd2024!", WeakPassword::Common),
            ("qwertyuiop", WeakPassword::Common),
            ("aaaaaaaaaaaa", WeakPassword::Common),
            ("abcabcabcabc", WeakPassword::Common),
            ("9876543210", WeakPassword::Common),
            ("homelog12345", WeakPassword::Common),
            ("Margarethe", WeakPassword::Name),
            ("margarethe2026", WeakPassword::Name),
        ] {
            assert_eq!(checked("margarethe", password), Err(why), "{password}");
        }
    }

    #[test]
    fn good_passwords_pass_without_composition_rules() {
        for password in [
            "correct horse battery staple",
            "ten chars!",
            "ünïcödé wörter",
            "kfjwmqpzxv",
            "dragons eat my homework",
            "837465019283",
            &"long ".repeat(51),
        ] {
            assert_eq!(checked("admin", password), Ok(()), "{password}");
        }
    }
}
