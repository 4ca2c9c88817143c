//! Query parameters, read strictly: one that a route does not know is an error, not a silence.

use axum::{extract::Query, http::Uri};
use chrono_tz::Tz;
use schemas::{Timestamp, name::excerpt};

use crate::ApiError;

/// Most values that one parameter may have.
const MAX_VALUES: usize = 1_000;

/// The parameters of one request, in order.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// It is malformed, or names a parameter that is not in `known`.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|e| ApiError::bad_request("invalid_query", e.body_text()))?;
        for (name, _) in &pairs {
            if !known.contains(&name.as_str()) {
                return Err(ApiError::bad_request(
                    "unknown_parameter",
                    format!(
                        "there is no parameter `{}`, only {}",
                        excerpt(name),
                        known.join(", ")
                    ),
                ));
            }
        }
        if pairs.len() > MAX_VALUES {
            return Err(too_many("the query"));
        }
        Ok(Self(pairs))
    }

    /// Every value of a parameter that may be repeated; empty ones ask for nothing.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, value)| n == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may stand once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self
            .0
            .iter()
            .filter(|(n, value)| n == name && !value.is_empty());
        let first = values.next();
        if values.next().is_some() {
            return Err(ApiError::bad_request(
                "invalid_parameter",
                format!("`{name}` may stand only once"),
            ));
        }
        Ok(first.map(|(_, value)| value.as_str()))
    }

    /// Every value of a parameter that may be repeated or hold a list joined by commas, parsed.
    pub(crate) fn list<T>(&self, name: &str) -> Result<Vec<T>, ApiError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let mut values = Vec::new();
        for text in self.all(name) {
            parse_list(name, text, &mut values)?;
        }
        Ok(values)
    }

    /// An instant.
    pub(crate) fn time(
        &self,
        name: &'static str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        // `+01:00` that was not percent-encoded arrives as a space
        let text = text.replace(' ', "+");
        Timestamp::parse(&text, now)
            .map(Some)
            .map_err(|e| ApiError::bad_request("invalid_time", format!("`{name}`: {e}")))
    }

    /// A time zone, UTC without one.
    pub(crate) fn time_zone(&self) -> Result<Tz, ApiError> {
        let Some(text) = self.one("tz")? else {
            return Ok(Tz::UTC);
        };
        text.parse().map_err(|_| {
            ApiError::bad_request(
                "invalid_time_zone",
                format!(
                    "`tz`: `{}` is no time zone of the IANA database, such as Europe/Berlin",
                    excerpt(text)
                ),
            )
        })
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.one(name)? else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(ApiError::bad_request(
                "invalid_parameter",
                format!("`{name}` must be a number from 1 to {max}"),
            )),
        }
    }
}

/// Parses a text, or if that fails its parts between commas.
pub(crate) fn parse_list<T>(name: &str, text: &str, into: &mut Vec<T>) -> Result<(), ApiError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    if !text.contains(',') || text.matches('/').count() == 2 {
        // a key whose id was not percent-encoded may hold a comma
        into.push(parse_one(name, text)?);
    } else {
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            into.push(parse_one(name, part)?);
        }
    }
    if into.len() > MAX_VALUES {
        return Err(too_many(name));
    }
    Ok(())
}

fn parse_one<T>(name: &str, text: &str) -> Result<T, ApiError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse::<T>()
        .map_err(|e| ApiError::bad_request("invalid_parameter", format!("`{name}`: {e}")))
}

fn too_many(what: &str) -> ApiError {
    ApiError::bad_request(
        "too_many_values",
        format!("{what} has more than {MAX_VALUES} values: ask in several requests"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{EntityKey, SourceName};

    fn params(query: &str) -> Result<Params, ApiError> {
        Params::read(
            &format!("/x?{query}").parse().unwrap(),
            &["source", "entity", "from", "limit", "tz"],
        )
    }

    #[test]
    fn lists_may_be_repeated_or_joined() {
        let read = params("source=a,b&source=c&entity=a/disk/x%2Cy&entity=").unwrap();
        let sources: Vec<SourceName> = read.list("source").unwrap();
        assert_eq!(sources.len(), 3);
        let keys: Vec<EntityKey> = read.list("entity").unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].id.as_str(), "x,y");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(params("sauce=a").unwrap_err().code(), "unknown_parameter");
        let read = params("source=-x&limit=0&tz=Mars&from=soon").unwrap();
        assert!(
            read.list::<SourceName>("source")
                .unwrap_err()
                .message()
                .contains("`source`")
        );
        assert!(read.number("limit", 5, 10).is_err());
        assert_eq!(read.time_zone().unwrap_err().code(), "invalid_time_zone");
        let now = Timestamp::from_millis(1_795_406_700_000);
        assert_eq!(read.time("from", now).unwrap_err().code(), "invalid_time");
        let twice = params("limit=1&limit=2").unwrap();
        assert!(twice.number("limit", 5, 10).is_err());
    }

    #[test]
    fn a_plus_that_was_not_encoded_is_understood() {
        let now = Timestamp::from_millis(1_795_406_700_000);
        let read = params("from=2026-11-23T04:05:00+01:00").unwrap();
        assert_eq!(
            read.time("from", now).unwrap().unwrap().to_string(),
            "2026-11-23T03:05:00.000Z"
        );
    }
}
