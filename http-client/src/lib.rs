//! The one HTTP client: every request has time-outs, every body a bound, every server is who it says it is.
//!
//! A [`Client`] is made of [`Options`] once and shared. Redirects are refused unless they are asked for, and never lead to
//! another host. [`Tls`] says whom it trusts: the system's authorities, one of your own, or one certificate by its
//! fingerprint. An [`Error`] names the host and what to do, in one line. A [`WebSocket`] begins as a request and follows the
//! same rules.

#![forbid(unsafe_code)]

mod address;
mod certificate;
mod client;
mod error;
mod fingerprint;
mod identity;
mod options;
mod request;
mod response;
mod tls;
mod verifier;
mod websocket;

pub use client::Client;
pub use error::{BuildError, Error};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use identity::Identity;
pub use options::{Options, Redirects};
pub use request::{Request, encode};
pub use reqwest::{Method, StatusCode, Url};
pub use response::Response;
pub use tls::Tls;
pub use websocket::{Upgrade, WebSocket};
