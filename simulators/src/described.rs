//! A mock service as its user needs to know it.

use serde_json::{Value, json};

/// Where a service is and who may ask it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name as a source.
    pub name: String,
    /// The kind of source that reads it.
    pub kind: &'static str,
    /// Where it is.
    pub url: String,
    /// Who asks, where it knows users.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// An API token, where it knows those.
    pub token: Option<String>,
    /// The options of the source, in order.
    pub options: Vec<(&'static str, toml::Value)>,
}

impl Described {
    /// As JSON: kind, URL and credentials; what it has not is null.
    pub fn to_json(&self) -> Value {
        json!({
            "kind": self.kind,
            "url": self.url,
            "username": self.username,
            "password": self.password,
            "token": self.token,
        })
    }

    /// As a section of a configuration.
    pub fn to_toml(&self) -> String {
        let mut text = "[[source]]\n".to_owned();
        let text_value = |text: &str| toml::Value::String(text.to_owned());
        let first = [
            ("name", text_value(&self.name)),
            ("kind", text_value(self.kind)),
        ];
        for (key, value) in first.iter().chain(&self.options) {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text
    }
}
