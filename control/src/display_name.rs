use std::fmt;

use schemas::name::excerpt;

use crate::limits;

/// What a source is called where people see it; its name stays the key of its history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DisplayName(String);

/// A text that is nothing to be shown as a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be shown as a name: use 1 to 64 characters, none of which ends the line")]
pub struct InvalidDisplayName(pub String);

impl DisplayName {
    /// Checks and takes a text, without the spaces around it.
    ///
    /// # Errors
    /// It is empty, too long, or holds control characters.
    pub fn new(text: &str) -> Result<Self, InvalidDisplayName> {
        let name = text.trim();
        let valid = !name.is_empty()
            && name.chars().count() <= limits::DISPLAY_NAME
            && !name.chars().any(char::is_control);
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidDisplayName(excerpt(text)))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for DisplayName {
    type Err = InvalidDisplayName;
    fn from_str(text: &str) -> Result<Self, InvalidDisplayName> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_shown_is_taken() {
        assert_eq!(DisplayName::new(" Küche ").unwrap().as_str(), "Küche");
        assert!(DisplayName::new(&"ü".repeat(64)).is_ok());
        for bad in ["", "  ", "a\nb", "a\u{7}", &"ü".repeat(65)] {
            assert!(DisplayName::new(bad).is_err(), "{bad:?}");
        }
    }
}
