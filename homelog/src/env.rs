//! The environment as a value: read once in `main`, passed on, never read again.

use std::{collections::BTreeMap, ffi::OsString};

/// Begin of the names of all variables that are ours.
pub const PREFIX: &str = "HOMELOG_";

/// Which log lines are told: a filter of `tracing-subscriber`, such as `info` or `collector=debug`.
pub const LOG: &str = "HOMELOG_LOG";
/// Password of the user `admin`, who is then made at the first start instead of a set-up link.
pub const ADMIN_PASSWORD: &str = "HOMELOG_ADMIN_PASSWORD";
/// File that holds it.
pub const ADMIN_PASSWORD_FILE: &str = "HOMELOG_ADMIN_PASSWORD_FILE";

/// Variables that are no settings of the configuration file.
pub const OWN: [&str; 3] = [LOG, ADMIN_PASSWORD, ADMIN_PASSWORD_FILE];

/// The variables of a process.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, OsString>);

impl Env {
    /// Takes variables; those whose name is no text cannot be meant and are left out.
    pub fn new(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(
            vars.into_iter()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// The text of a variable that is set and not empty.
    ///
    /// # Errors
    /// The value is no text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(NotText(name.to_owned())),
            },
        }
    }

    /// The value of a variable that is set and not empty, of any bytes, such as a path.
    pub fn os(&self, name: &str) -> Option<&OsString> {
        self.0.get(name).filter(|value| !value.is_empty())
    }

    /// The same without variables that set something in the configuration.
    #[must_use]
    pub fn without_settings(&self) -> Self {
        let is_setting = |name: &str| name.starts_with(PREFIX) && !OWN.contains(&name);
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !is_setting(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// Names of the variables that are ours, in order.
    pub fn ours(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with(PREFIX))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(vars: [(&str, &str); N]) -> Self {
        Self::new(
            vars.into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }
}

/// A variable that holds no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {0} holds bytes that are no UTF-8 text")]
pub struct NotText(String);
