//! The line-protocol door: InfluxDB's write API, as Telegraf, Home Assistant and Proxmox VE use it. Lines become events and
//! go the way of every push.
//!
//! Both versions of the API answer as InfluxDB does, version 2 as 2.7 and version 1 as 1.8, also where they refuse something.

pub(crate) mod about;
mod credential;
mod face;
mod line;
mod names;
mod refused;
pub(crate) mod write;

pub(crate) use credential::credential;
pub(crate) use face::layer;

/// Under which all of it stands.
pub(crate) const PREFIX: &str = "/influxdb";
/// Which InfluxDB the door behaves as: clients choose by it what they can ask for.
const VERSION: &str = "v2.7.12";
