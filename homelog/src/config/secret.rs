//! Settings that nobody may see.

use secrecy::{ExposeSecret, SecretString};

use super::{
    findings::Fault,
    setting::{Setting, Value, text},
};

/// A password or a token; may stand in a file that `<option>_file` names.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Default for Secret {
    fn default() -> Self {
        Self(SecretString::from(""))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl Secret {
    /// What it is.
    pub const fn get(&self) -> &SecretString {
        &self.0
    }
}

fn fault(value: &Value<'_>, message: &str, fix: &str) -> Vec<Fault> {
    vec![Fault {
        span: value.span(),
        message: message.to_owned(),
        fix: fix.to_owned(),
    }]
}

impl Setting for Secret {
    const SECRET: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let text = text(value).map_err(|fault| vec![fault])?;
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(fault(
                value,
                "it is empty or holds a line break",
                "write the secret alone, or the path of a file that holds it in the option that ends in _file",
            ));
        }
        Ok(Self(SecretString::from(text)))
    }

    fn write(&self) -> String {
        "\"…\"".to_owned()
    }
}

/// The address of a PostgreSQL database, which may hold a password.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PostgresUrl(Secret);

impl PostgresUrl {
    /// An address as it is, for tests.
    #[cfg(test)]
    pub(crate) fn of(url: &str) -> Self {
        Self(Secret(SecretString::from(url)))
    }

    /// What it is.
    pub const fn get(&self) -> &SecretString {
        self.0.get()
    }
}

impl Setting for PostgresUrl {
    const SECRET: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let secret = Secret::read(value)?;
        let url = secret.get().expose_secret();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self(secret));
        }
        Err(fault(
            value,
            "it is not the address of a PostgreSQL database",
            "write it as postgres://user:password@host:5432/database",
        ))
    }

    fn write(&self) -> String {
        self.0.write()
    }
}
