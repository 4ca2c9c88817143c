//! Types of single settings: how they are read, and how they are written into the example.

use std::{
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    time::Duration,
};

use schemas::time::{format_duration, parse_duration};
use toml::{Spanned, de::DeValue};

use super::findings::Fault;

/// A value of the file with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A type that a setting may have.
pub(super) trait Setting: Sized {
    /// Whether it is a list: from the environment its values come joined by commas.
    const LIST: bool = false;
    /// Whether it may stand in a file of its own, so that it need not stand here.
    const SECRET: bool = false;
    /// Whether it is a path, or a table with one under `ca`.
    const PATH: bool = false;

    /// Reads it; every fault of a list is told.
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>>;

    /// As it stands in a TOML file.
    fn write(&self) -> String;
}

/// The text of a value.
pub(super) fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, Fault> {
    value.get_ref().as_str().ok_or_else(|| Fault {
        span: value.span(),
        message: format!("expected a text, found {}", type_name(value.get_ref())),
        fix: "put it in \"quotes\"".to_owned(),
    })
}

/// What a value is, in words.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Reads a text that has its own parser.
pub(super) fn parse<T>(
    value: &Value<'_>,
    fix: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Vec<Fault>> {
    let text = text(value).map_err(|fault| vec![fault])?;
    read(text).map_err(|message| {
        vec![Fault {
            span: value.span(),
            message,
            fix: fix.to_owned(),
        }]
    })
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Setting for SocketAddr {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        parse(
            value,
            "write address and port, such as \"127.0.0.1:3001\", or \"0.0.0.0:3001\" for the whole network",
            |text| {
                text.parse().map_err(|_| {
                    format!(
                        "`{}` is not an address with a port",
                        schemas::name::excerpt(text)
                    )
                })
            },
        )
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for Duration {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write a number with ms, s, m, h, d, w or y, such as \"30s\" or \"7d\"";
        parse(value, fix, |text| {
            let millis = parse_duration(text)
                .map_err(|_| format!("`{}` is not a duration", schemas::name::excerpt(text)))?;
            Ok(Duration::from_millis(millis.unsigned_abs()))
        })
    }

    fn write(&self) -> String {
        quoted(&format_duration(*self))
    }
}

impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;
    const PATH: bool = T::PATH;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        T::read(value).map(Some)
    }

    fn write(&self) -> String {
        self.as_ref().map(Setting::write).unwrap_or_default()
    }
}

impl<T: Setting> Setting for Vec<T> {
    const LIST: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let Some(array) = value.get_ref().as_array() else {
            return Err(vec![Fault {
                span: value.span(),
                message: format!("expected a list, found {}", type_name(value.get_ref())),
                fix: "put it in [brackets]".to_owned(),
            }]);
        };
        let mut faults = Vec::new();
        let list = array
            .iter()
            .filter_map(|item| T::read(item).map_err(|found| faults.extend(found)).ok())
            .collect();
        if faults.is_empty() {
            Ok(list)
        } else {
            Err(faults)
        }
    }

    fn write(&self) -> String {
        let items: Vec<_> = self.iter().map(Setting::write).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A duration, if it lies between two others.
pub(super) fn within(
    value: Duration,
    bounds: RangeInclusive<Duration>,
    span: Range<usize>,
) -> Result<Duration, Fault> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(Fault {
        span,
        message: format!("{} is out of bounds", format_duration(value)),
        fix: format!(
            "write at least {} and at most {}",
            format_duration(least),
            format_duration(most)
        ),
    })
}
