//! Where a part of Homelog keeps its data.

use super::{
    findings::Fault,
    setting::{Setting, Value, quoted, text},
    suggest,
};

macro_rules! kind {
    ($(#[doc = $doc:literal])* $name:ident { $( $(#[doc = $variant_doc:literal])* $variant:ident = $text:literal, )* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $name {
            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )*
                }
            }
        }

        impl Setting for $name {
            fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
                match text(value).map_err(|fault| vec![fault])? {
                    $( $text => Ok(Self::$variant), )*
                    other => Err(vec![Fault {
                        span: value.span(),
                        message: format!("`{}` is not one of its values", schemas::name::excerpt(other)),
                        fix: suggest::fix(other, [$($text),*]),
                    }]),
                }
            }

            fn write(&self) -> String {
                quoted(self.as_str())
            }
        }
    };
}

kind! {
    /// Where the event log is.
    LogKind {
        /// In a file of the data directory.
        Embedded = "embedded",
        /// In topics of Apache Kafka.
        Kafka = "kafka",
        /// In another Homelog, which this one sends its events to.
        Http = "http",
    }
}

kind! {
    /// Where the time-series store is.
    StoreKind {
        /// In a file of the data directory.
        Embedded = "embedded",
        /// In a bucket of InfluxDB.
        Influxdb = "influxdb",
    }
}

kind! {
    /// Where the control store is.
    ControlKind {
        /// In a file of the data directory.
        Embedded = "embedded",
        /// In a database of PostgreSQL.
        Postgres = "postgres",
    }
}

kind! {
    /// How a client of Kafka proves its password.
    Mechanism {
        /// The password itself goes over the wire; only sound with TLS.
        Plain = "plain",
        /// Salted challenge and response with SHA-256.
        ScramSha256 = "scram-sha-256",
        /// Salted challenge and response with SHA-512.
        ScramSha512 = "scram-sha-512",
    }
}
