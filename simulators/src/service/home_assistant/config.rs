//! What it tells of itself.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{HomeAssistant, VERSION};
use crate::world::night::Presence;

impl HomeAssistant {
    pub(super) fn config(&self, now: Timestamp) -> Value {
        let state = match self.presence(now) {
            Presence::Running => "RUNNING",
            Presence::Starting => "STARTING",
            Presence::Gone => "NOT_RUNNING",
        };
        json!({
            "latitude": 52.0,
            "longitude": 5.0,
            "elevation": 0,
            "unit_system": {
                "length": "km",
                "accumulated_precipitation": "mm",
                "mass": "g",
                "pressure": "Pa",
                "temperature": "°C",
                "volume": "L",
                "wind_speed": "m/s"
            },
            "location_name": "Home",
            "time_zone": "Europe/Amsterdam",
            "components": ["api", "binary_sensor", "input_number", "light", "mqtt", "person", "sensor", "switch", "websocket_api"],
            "config_dir": "/config",
            "whitelist_external_dirs": ["/media", "/config/www"],
            "allowlist_external_dirs": ["/media", "/config/www"],
            "allowlist_external_urls": [],
            "version": VERSION,
            "config_source": "storage",
            "recovery_mode": false,
            "state": state,
            "external_url": null,
            "internal_url": null,
            "currency": "EUR",
            "country": "NL",
            "language": "en",
            "safe_mode": false
        })
    }
}
