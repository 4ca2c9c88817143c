//! Where something stands in an answer (JSON Pointer, RFC 6901), and texts that are written down or looked up there.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// Longest pointer, in bytes.
const LONGEST: usize = 512;
/// Most steps of a pointer.
const DEEPEST: usize = 32;

/// A pointer that was checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Pointer(String);

impl Pointer {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "a JSON pointer begins with a slash and has one between its steps: `/{}`",
                schemas::name::excerpt(&text.replace('.', "/"))
            ));
        }
        if text.len() > LONGEST || text.matches('/').count() > DEEPEST {
            return Err(format!(
                "a JSON pointer has at most {LONGEST} bytes and {DEEPEST} steps"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// What stands there.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "the answer itself"
        } else {
            &self.0
        })
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A text of the configuration, one that stands in the answer, or the name under which an item stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Text {
    Written(String),
    At(Pointer),
    Key,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "" => Err(de::Error::custom("the text is empty")),
            "@key" => Ok(Self::Key),
            _ if text.starts_with('/') => {
                Pointer::new(&text).map(Self::At).map_err(de::Error::custom)
            }
            _ => Ok(Self::Written(text)),
        }
    }
}

impl Text {
    /// The text for an item that stands under a key; nothing where the answer has none.
    pub(super) fn read(&self, item: &Value, key: &str) -> Option<String> {
        let text = match self {
            Self::Written(text) => text.clone(),
            Self::Key => key.to_owned(),
            Self::At(pointer) => plain(pointer.find(item)?)?,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// A text, a number or true and false as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_is_checked_before_it_is_used() {
        for good in ["", "/a", "/a/0/b~1c", "/"] {
            assert!(Pointer::new(good).is_ok(), "{good}");
        }
        let wrong = Pointer::new("status.temp").unwrap_err();
        assert!(wrong.contains("`/status/temp`"), "{wrong}");
        assert!(Pointer::new(&"/a".repeat(DEEPEST + 1)).is_err());
        assert!(Pointer::new(&format!("/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn a_text_is_written_or_looked_up() {
        let read = |text: &str| -> Option<String> {
            let text: Text = serde_json::from_value(json!(text)).unwrap();
            text.read(&json!({"a": {"b/c": 7}, "n": null, "l": [], "e": " "}), "k")
        };
        assert_eq!(read("attic").as_deref(), Some("attic"));
        assert_eq!(read("/a/b~1c").as_deref(), Some("7"));
        assert_eq!(read("@key").as_deref(), Some("k"));
        for nothing in ["/n", "/l", "/e", "/missing"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        assert!(serde_json::from_value::<Text>(json!("")).is_err());
    }
}
