//! Numbers, sizes, and yes or no.

use super::{
    findings::{Fault, is_variable},
    setting::{Setting, Value, parse, quoted, type_name},
};

impl Setting for bool {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let written = value
            .get_ref()
            .as_str()
            .filter(|_| is_variable(&value.span()));
        match (value.get_ref().as_bool(), written) {
            (Some(read), _) => Ok(read),
            (None, Some("true")) => Ok(true),
            (None, Some("false")) => Ok(false),
            _ => Err(vec![Fault {
                span: value.span(),
                message: format!(
                    "expected true or false, found {}",
                    type_name(value.get_ref())
                ),
                fix: "write true or false, without quotes".to_owned(),
            }]),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// A number, moved into its bounds.
    pub const fn new(number: u32) -> Self {
        Self(if number < MIN {
            MIN
        } else if number > MAX {
            MAX
        } else {
            number
        })
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Setting for Count<MIN, MAX> {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let written = match value.get_ref().as_str() {
            Some(text) if is_variable(&value.span()) => text.to_owned(),
            _ => value
                .get_ref()
                .as_integer()
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        written
            .parse()
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| {
                let shown = if written.is_empty() {
                    type_name(value.get_ref()).to_owned()
                } else {
                    format!("`{}`", schemas::name::excerpt(&written))
                };
                vec![Fault {
                    span: value.span(),
                    message: format!("{shown} is not a number that fits here"),
                    fix: format!("write a whole number from {MIN} to {MAX}, without quotes"),
                }]
            })
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];
const LEAST: u64 = 16 << 20;

impl Setting for Size {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write a whole number of MiB or GiB, at least 16 MiB, such as \"1GiB\"";
        parse(value, fix, |text| {
            UNITS
                .iter()
                .find_map(|(unit, bytes)| {
                    let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
                    number.checked_mul(*bytes)
                })
                .filter(|bytes| (LEAST..=1 << 50).contains(bytes))
                .map(Self)
                .ok_or_else(|| {
                    format!(
                        "`{}` is not a size that fits here",
                        schemas::name::excerpt(text)
                    )
                })
        })
    }

    fn write(&self) -> String {
        let (unit, bytes) = UNITS
            .into_iter()
            .find(|(_, bytes)| self.0.is_multiple_of(*bytes))
            .unwrap_or(("B", 1));
        quoted(&format!("{}{unit}", self.0 / bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_it_is_read() {
        assert_eq!(Size(1 << 30).write(), "\"1GiB\"");
        assert_eq!(Size(1536 << 20).write(), "\"1536MiB\"");
    }
}
