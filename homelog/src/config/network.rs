//! Networks, and names of hosts.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    findings::Fault,
    setting::{Setting, Value, parse, quoted},
};

impl Setting for IpNet {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write an address or a network, such as \"192.168.1.0/24\"";
        parse(value, fix, |text| {
            text.parse::<Self>()
                .or_else(|_| text.parse::<IpAddr>().map(Self::from))
                .map_err(|_| format!("`{}` is not a network", schemas::name::excerpt(text)))
        })
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

/// A name by which a browser may call Homelog, in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for HostName {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write a name alone, such as \"homelog.example.org\", without scheme and port";
        parse(value, fix, |text| {
            let fits = !text.is_empty()
                && text.len() <= 253
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
            if fits {
                Ok(Self(text.to_ascii_lowercase()))
            } else {
                Err(format!(
                    "`{}` is not a host name",
                    schemas::name::excerpt(text)
                ))
            }
        })
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}
