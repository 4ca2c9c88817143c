//! Which entities are told.

use serde_json::Value;

use super::state::{State, domain_of};
use crate::pattern::Patterns;

/// Kinds of entities that say where people are.
const WHEREABOUTS: &[&str] = &[
    "device_tracker",
    "geo_location",
    "person",
    "proximity",
    "zone",
];
/// Sensors of the companion app that do.
const OF_PHONES: &[&str] = &[
    "sensor.*_bssid",
    "sensor.*_direction_of_travel",
    "sensor.*_geocoded_location",
    "sensor.*_ssid",
    "sensor.*_wi_fi_connection",
];

/// Which entities are told.
#[derive(Debug)]
pub(super) struct Chosen {
    include: Patterns,
    exclude: Patterns,
    of_phones: Option<Patterns>,
}

impl Chosen {
    /// All that match one of `include`, or all where that is empty, without what matches one of `exclude`.
    pub(super) fn new(include: Patterns, exclude: Patterns, whereabouts: bool) -> Self {
        Self {
            include,
            exclude,
            of_phones: (!whereabouts).then(|| Patterns::new(OF_PHONES)),
        }
    }

    /// Whether an entity may be told, by its id alone.
    pub(super) fn may(&self, id: &str) -> bool {
        let private = self
            .of_phones
            .as_ref()
            .is_some_and(|of_phones| WHEREABOUTS.contains(&domain_of(id)) || of_phones.matches(id));
        !private
            && (self.include.is_empty() || self.include.matches(id))
            && !self.exclude.matches(id)
    }

    /// Whether a state may be told.
    pub(super) fn is(&self, state: &State) -> bool {
        self.may(state.id.as_str())
            && !is_password(state)
            && (self.of_phones.is_none() || !has_place(state))
    }
}

/// A field for a password shows dots to people, and its state to whoever asks.
fn is_password(state: &State) -> bool {
    matches!(state.domain(), "text" | "input_text") && state.text_of("mode") == "password"
}

/// Whether there are coordinates among the attributes. A calendar's `location` is a text.
fn has_place(state: &State) -> bool {
    state.attributes.iter().any(|(name, value)| {
        let is = |wanted| name.eq_ignore_ascii_case(wanted);
        is("latitude") || is("longitude") || (is("location") && matches!(value, Value::Array(_)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_told(chosen: &Chosen, id: &str, attributes: &Value) -> bool {
        let row = json!({"entity_id": id, "state": "x", "attributes": attributes});
        chosen.is(&State::read(&serde_json::value::to_raw_value(&row).unwrap()).unwrap())
    }

    fn choose(include: &[&str], exclude: &[&str], whereabouts: bool) -> Chosen {
        Chosen::new(Patterns::new(include), Patterns::new(exclude), whereabouts)
    }

    #[test]
    fn whereabouts_are_told_only_on_demand() {
        for (id, attributes) in [
            ("person.anna", json!({})),
            ("device_tracker.phone", json!({})),
            ("zone.home", json!({})),
            ("sensor.phone_geocoded_location", json!({})),
            ("sensor.phone_ssid", json!({})),
            ("sensor.car", json!({"Latitude": 52.1})),
            ("sensor.car", json!({"longitude": 4.9})),
            ("sensor.car", json!({"Location": [52.1, 4.9]})),
        ] {
            // an explicit pattern is not enough
            assert!(
                !is_told(&choose(&[id], &[], false), id, &attributes),
                "{id}"
            );
            assert!(is_told(&choose(&[], &[], true), id, &attributes), "{id}");
        }
        assert!(is_told(
            &choose(&[], &[], false),
            "calendar.bins",
            &json!({"location": "yard"})
        ));
    }

    #[test]
    fn patterns_choose_and_leave_out() {
        let chosen = choose(&["sensor.*", "light.hall"], &["sensor.*_rssi"], false);
        for (id, wanted) in [
            ("sensor.attic", true),
            ("light.hall", true),
            ("light.attic", false),
            ("sensor.plug_rssi", false),
        ] {
            assert_eq!(is_told(&chosen, id, &json!({})), wanted, "{id}");
        }
    }

    #[test]
    fn a_password_is_never_told() {
        let all = choose(&["text.*"], &[], true);
        assert!(!is_told(&all, "text.door", &json!({"mode": "password"})));
        assert!(is_told(&all, "text.door", &json!({"mode": "text"})));
        assert!(!is_told(
            &choose(&[], &[], true),
            "input_text.door",
            &json!({"mode": "password"})
        ));
    }
}
