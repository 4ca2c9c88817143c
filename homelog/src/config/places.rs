//! Where things are, in words and without secrets.

use std::path::Path;

use event_log::http::Enrolment;
use secrecy::ExposeSecret;

use super::{Config, ControlKind, HttpUrl, LogKind, Secret, StoreKind, Tls};

impl super::Log {
    /// Sends events to the hub that an agent enrols with.
    pub(crate) fn enrol(&mut self, enrolment: &Enrolment) {
        self.kind = LogKind::Http;
        self.url = HttpUrl::from(enrolment.url.as_str());
        self.token = Secret::from(enrolment.token.clone());
        self.tls = match &enrolment.tls {
            http_client::Tls::System => Tls::Default,
            http_client::Tls::Fingerprint(print) => Tls::Fingerprint(*print),
            http_client::Tls::Ca(path) => Tls::Ca(path.clone()),
            http_client::Tls::Insecure => Tls::Insecure,
        };
    }
}

impl Config {
    /// Where the event log is; empty if in the data directory.
    pub(crate) fn log_place(&self) -> String {
        match self.log.kind {
            LogKind::Embedded => String::new(),
            LogKind::Kafka => format!(
                "Kafka at {}, topics {}.*",
                self.log.brokers.as_str(),
                self.log.topics.as_str()
            ),
            LogKind::Http => format!("the hub at {}", self.log.url.as_str()),
        }
    }

    /// Where the time-series store is; empty if in the data directory.
    pub(crate) fn store_place(&self) -> String {
        match self.store.kind {
            StoreKind::Embedded => String::new(),
            StoreKind::Influxdb => format!(
                "InfluxDB at {}, bucket {}",
                self.store.url.as_str(),
                self.store.bucket.as_str()
            ),
        }
    }

    /// Where the control store is, never with its password; empty if in the data directory.
    pub(crate) fn control_place(&self) -> String {
        match self.control.kind {
            ControlKind::Embedded => String::new(),
            ControlKind::Postgres => {
                let url = self.control.url.get().expose_secret();
                // the password may hold what it should not: all up to the last `@` may be it
                let place = url.rsplit('@').next().unwrap_or_default();
                let place = place.split('?').next().unwrap_or_default();
                let place = place.rsplit("//").next().unwrap_or_default();
                format!("PostgreSQL at {place}")
            }
        }
    }

    /// All of them with their labels; what is in the data directory is one line.
    pub(crate) fn places(&self, data: Option<&Path>) -> Vec<(&'static str, String)> {
        let mut places = Vec::new();
        if let Some(data) = data {
            places.push(("Data", data.display().to_string()));
        }
        for (elsewhere, label, place) in [
            (
                self.log.kind != LogKind::Embedded,
                "Event log",
                self.log_place(),
            ),
            (
                self.store.kind != StoreKind::Embedded,
                "Store",
                self.store_place(),
            ),
            (
                self.control.kind != ControlKind::Embedded,
                "Users",
                self.control_place(),
            ),
        ] {
            if elsewhere {
                places.push((label, place));
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        let place = |url: &str| {
            let mut config = Config::default();
            config.control.kind = ControlKind::Postgres;
            config.control.url = super::super::PostgresUrl::of(url);
            config.control_place()
        };
        for url in [
            "postgres://homelog:s3cr3t@db:5432/homelog",
            "postgres://homelog:s3cr3t@s3cr3t@db:5432/homelog?sslmode=require",
            "postgresql://homelog:s3cr3t//?s3cr3t@db:5432/homelog",
            "postgresql://db:5432/homelog?password=s3cr3t",
        ] {
            assert_eq!(place(url), "PostgreSQL at db:5432/homelog");
        }
    }
}
