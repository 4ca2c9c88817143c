//! Names that were checked once and are then cheap to copy.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits;

/// A name that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{shown}` is not valid: {rule}")]
pub struct InvalidName {
    /// Which kind of name.
    pub what: &'static str,
    /// The beginning of the offending text.
    pub shown: String,
    /// The rule in words.
    pub rule: &'static str,
}

/// The first characters of a text, safe to show in a message.
pub fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(48).flat_map(char::escape_debug).collect();
    if text.chars().nth(48).is_some() {
        shown.push('…');
    }
    shown
}

fn word(text: &str, max: usize, extra: &str) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        && text
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn printable(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, |$text:ident| $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
                let $text = text.as_ref();
                if $check {
                    Ok(Self(Arc::from($text)))
                } else {
                    Err(InvalidName { what: $what, shown: excerpt($text), rule: $rule })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                Self::new(&*text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Lab-unique name of a source, such as `nas1` or `server.host`.
    SourceName, "source", "1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter, a digit or _",
    |text| word(text, limits::SOURCE_NAME, "._-")
}

name! {
    /// What a source is: `host`, `docker`, `synology`, `push`.
    SourceKind, "kind", "1 to 64 of A-Z a-z 0-9 _ -, beginning with a letter, a digit or _",
    |text| word(text, limits::KIND, "_-")
}

name! {
    /// The collector agent that observed an event.
    AgentName, "agent", "1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter, a digit or _",
    |text| word(text, limits::AGENT, "._-")
}

name! {
    /// What an entity is: `host`, `container`, `disk`.
    EntityType, "entity type", "1 to 64 of A-Z a-z 0-9 . : _ -, beginning with a letter, a digit or _",
    |text| word(text, limits::ENTITY_TYPE, ".:_-")
}

name! {
    /// Which one of its type an entity is; stable over its life as a person sees it.
    EntityId, "entity id", "1 to 256 bytes without control characters",
    |text| printable(text, limits::ENTITY_ID)
}

name! {
    /// Name of a field or label; ends in its unit: `memory_used_bytes`.
    FieldName, "field name", "1 to 128 bytes without control characters",
    |text| printable(text, limits::FIELD_NAME)
}

name! {
    /// Random id of one writer's sequence state.
    Epoch, "epoch", "1 to 64 of A-Z a-z 0-9 _ -",
    |text| word(text, limits::EPOCH, "_-")
}

impl Epoch {
    /// A new random epoch: 16 hexadecimal characters.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Arc::from(format!(
            "{:016x}",
            u64::from_be_bytes(bytes)
        ))))
    }
}

/// Makes a field name of a literal that is known to be valid.
///
/// # Panics
/// Only for a literal that breaks the rule, which the first run of its test shows.
impl From<&'static str> for FieldName {
    fn from(text: &'static str) -> Self {
        debug_assert!(
            printable(text, limits::FIELD_NAME),
            "invalid field name {text}"
        );
        Self(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keep_their_rules() {
        for good in ["nas1", "server.host", "_x", "A-b.c_9"] {
            assert_eq!(SourceName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-x", "a/b", "ü", "a b", "a:b", &"x".repeat(129)] {
            assert!(SourceName::new(bad).is_err(), "{bad} must be refused");
        }
        assert!(EntityId::new("/dev/disk ü").is_ok());
        assert!(EntityId::new("a\nb").is_err());
        assert!(EntityId::new("x".repeat(257)).is_err());
    }

    #[test]
    fn a_message_shows_the_text_without_control_characters() {
        let message = SourceName::new("bad\u{1b}[2J").unwrap_err().to_string();
        assert!(!message.contains('\u{1b}'), "{message}");
    }

    #[test]
    fn random_epochs_differ() {
        assert_ne!(Epoch::random().unwrap(), Epoch::random().unwrap());
    }

    proptest! {
        #[test]
        fn what_is_taken_comes_back_through_json(text in "\\PC{1,60}") {
            if let Ok(id) = EntityId::new(&text) {
                let json = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<EntityId>(&json).unwrap(), id);
            }
        }
    }
}
