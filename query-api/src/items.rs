//! The items of a body: one object, an array of them, or one a line. One bad item does not spoil the others.

use std::fmt;

use schemas::limits;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::ApiError;

/// What is known of a body's form before it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// One item a line.
    Lines,
    /// To be seen from the first character.
    Unknown,
}

/// An item as it stands in the body, or what is wrong with its JSON.
pub(crate) type Item<'a> = Result<&'a RawValue, String>;

/// Splits a body into its items.
///
/// # Errors
/// The body as a whole is no JSON, or has more items than one request may have.
pub(crate) fn split(text: &str, form: Form) -> Result<Vec<Item<'_>>, ApiError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match (form, text.chars().next()) {
        (_, None) => Err(ApiError::bad_request(
            "empty_body",
            "the body is empty: send an object, an array of objects, or one object a line",
        )),
        (Form::Lines, _) => lines(text),
        (Form::Unknown, Some('[')) => array(text),
        (Form::Unknown, Some('{')) => match serde_json::from_str::<&RawValue>(text) {
            Ok(one) => Ok(vec![Ok(one)]),
            // more than one line may be one object a line
            Err(_) if text.contains('\n') => lines(text),
            Err(e) => Err(invalid(&e)),
        },
        (Form::Unknown, Some(_)) => Err(ApiError::bad_request(
            "invalid_json",
            "the body must be an object, an array of objects, or one object a line",
        )),
    }
}

fn lines(text: &str) -> Result<Vec<Item<'_>>, ApiError> {
    let mut items = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if items.len() >= limits::PUSH_EVENTS {
            return Err(too_many());
        }
        items.push(serde_json::from_str::<&RawValue>(line).map_err(|e| e.to_string()));
    }
    Ok(items)
}

fn array(text: &str) -> Result<Vec<Item<'_>>, ApiError> {
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Option<Vec<Item<'de>>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of objects")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element::<&RawValue>()? {
                if items.len() < limits::PUSH_EVENTS {
                    items.push(Ok(item));
                } else {
                    // read to the end, so that the error is about the number and not about what follows
                    while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                    return Ok(None);
                }
            }
            Ok(Some(items))
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let items = reader
        .deserialize_seq(Bounded)
        .and_then(|items| reader.end().map(|()| items))
        .map_err(|e| invalid(&e))?;
    items.ok_or_else(too_many)
}

fn invalid(e: &serde_json::Error) -> ApiError {
    ApiError::bad_request("invalid_json", format!("the body is not JSON: {e}"))
}

fn too_many() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::PAYLOAD_TOO_LARGE,
        "too_many_events",
        format!(
            "the body has more than {} events: push in several requests",
            limits::PUSH_EVENTS
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str, form: Form) -> Vec<bool> {
        split(text, form)
            .unwrap()
            .iter()
            .map(Result::is_ok)
            .collect()
    }

    #[test]
    fn the_form_is_seen_from_the_content() {
        assert_eq!(kinds("{}", Form::Unknown), [true]);
        assert_eq!(kinds("{\n\"a\":\n1}", Form::Unknown), [true]);
        assert_eq!(kinds("[{},1,{}]", Form::Unknown), [true; 3]);
        assert_eq!(
            kinds("{}\n{bad\n\n{}\r\n", Form::Unknown),
            [true, false, true]
        );
        assert_eq!(kinds("7\n{}", Form::Lines), [true, true]);
        assert_eq!(kinds("[]", Form::Unknown), [true; 0]);
    }

    #[test]
    fn what_is_no_json_at_all_is_an_error() {
        for (text, code) in [
            ("", "empty_body"),
            ("  ", "empty_body"),
            ("[{},", "invalid_json"),
            ("[{}] x", "invalid_json"),
            ("{\"a\":", "invalid_json"),
            ("hello", "invalid_json"),
        ] {
            assert_eq!(
                split(text, Form::Unknown).unwrap_err().code(),
                code,
                "{text}"
            );
        }
        let many = format!("[{}1]", "1,".repeat(limits::PUSH_EVENTS));
        assert_eq!(
            split(&many, Form::Unknown).unwrap_err().code(),
            "too_many_events"
        );
        let many = "1\n".repeat(limits::PUSH_EVENTS + 1);
        assert_eq!(
            split(&many, Form::Lines).unwrap_err().code(),
            "too_many_events"
        );
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "\\PC{0,60}", lines in any::<bool>()) {
            let form = if lines { Form::Lines } else { Form::Unknown };
            drop(split(&text, form));
        }
    }
}
