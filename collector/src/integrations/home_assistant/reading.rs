//! What a state comes to: its fields and labels.

use schemas::{Entity, Fields, name::EntityType};

use super::{
    state::{State, number},
    units::{Measure, convert},
};

/// Most characters of a state in words; Home Assistant has 255.
const MOST_TEXT: usize = 255;

/// Kinds of entities whose state is a number also without a unit.
const NUMERIC: &[&str] = &["counter", "input_number", "number", "todo"];

/// Numbers among the attributes that are readings themselves: attribute, field, what one of it is.
const ATTRIBUTES: &[(&str, &str, Attribute)] = &[
    (
        "current_temperature",
        "temperature_celsius",
        Attribute::Temperature,
    ),
    (
        "temperature",
        "target_temperature_celsius",
        Attribute::Temperature,
    ),
    (
        "current_humidity",
        "humidity_ratio",
        Attribute::Scale(100.0),
    ),
    ("humidity", "target_humidity_ratio", Attribute::Scale(100.0)),
    ("battery_level", "battery_ratio", Attribute::Scale(100.0)),
    (
        "current_position",
        "position_ratio",
        Attribute::Scale(100.0),
    ),
    ("percentage", "fan_speed_ratio", Attribute::Scale(100.0)),
    ("brightness", "brightness_ratio", Attribute::Scale(255.0)),
];

#[derive(Clone, Copy)]
enum Attribute {
    /// In the unit of temperature that the home is set to.
    Temperature,
    /// From nothing to this.
    Scale(f64),
}

/// Whether an entity has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Availability {
    Available,
    /// It has no value yet.
    Unknown,
    /// Its device or integration is gone.
    Unavailable,
    /// Home Assistant does not know it any more.
    Removed,
}

impl Availability {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
            Self::Removed => "removed",
        }
    }

    /// The fields of an entity that has no value.
    pub(super) fn alone(self) -> Fields {
        let mut fields = Fields::new();
        fields.set_text("availability", self.as_str());
        fields
    }
}

/// What one state comes to.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reading {
    pub(super) entity: Entity,
    pub(super) availability: Availability,
    pub(super) fields: Fields,
}

impl Reading {
    /// Temperatures of thermostats and of the weather are in the home's unit, `°C` or `°F`.
    pub(super) fn of(state: &State, entity_type: &EntityType, home_temperature: &str) -> Self {
        let class = state.text_of("device_class");
        let mut entity = Entity::new(entity_type.clone(), state.id.clone())
            .with_label("name", &printable(state.text_of("friendly_name")))
            .with_label("device_class", &printable(class));
        let is_numeric = is_numeric(state, class);
        let availability = match state.text.as_str() {
            "unavailable" => Availability::Unavailable,
            "unknown" | "" => Availability::Unknown,
            "none" | "None" if is_numeric => Availability::Unknown,
            _ => Availability::Available,
        };
        let mut fields = availability.alone();
        if availability == Availability::Available {
            let value = Some(&state.text)
                .filter(|_| is_numeric)
                .and_then(|text| number(text));
            if let Some(value) = value {
                let unit = state.text_of("unit_of_measurement");
                let grows = state.text_of("state_class") == "total_increasing";
                if let Some(Measure { field, value }) = convert(value, unit, class, grows) {
                    fields.set(field, value);
                } else {
                    let field = if grows { "value_total" } else { "value" };
                    fields.set(field, schemas::FieldValue::F64(value));
                    entity = entity.with_label("unit", &printable(unit));
                }
            } else {
                fields.set_text("state", &cut(&state.text));
            }
            tell_attributes(state, home_temperature, &mut fields);
        }
        Self {
            entity,
            availability,
            fields,
        }
    }
}

fn is_numeric(state: &State, class: &str) -> bool {
    let unit = state.text_of("unit_of_measurement");
    let state_class = state.text_of("state_class");
    !unit.is_empty()
        || !state_class.is_empty()
        || class == "power_factor"
        || NUMERIC.contains(&state.domain())
}

fn tell_attributes(state: &State, home_temperature: &str, fields: &mut Fields) {
    // what the weather service calls temperature is measured, not set
    let weather = state.domain() == "weather";
    for (attribute, field, kind) in ATTRIBUTES {
        let field = match *field {
            "target_temperature_celsius" if weather => "temperature_celsius",
            "target_humidity_ratio" if weather => "humidity_ratio",
            field => field,
        };
        let Some(value) = state.number_of(attribute) else {
            continue;
        };
        if fields.get(field).is_some() {
            continue;
        }
        match kind {
            Attribute::Temperature => {
                let own = state.text_of("temperature_unit");
                let unit = if own.is_empty() {
                    home_temperature
                } else {
                    own
                };
                if let Some(measure) = convert(value, unit, "temperature", false)
                    && measure.field == "temperature_celsius"
                {
                    fields.set(field, measure.value);
                }
            }
            Attribute::Scale(full) if (0.0..=*full).contains(&value) => {
                fields.set_rounded(field, value / full, 4);
            }
            Attribute::Scale(_) => {}
        }
    }
}

/// Without what moves a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MOST_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reading(row: &Value) -> Reading {
        let row = serde_json::value::to_raw_value(row).unwrap();
        let state = State::read(&row).unwrap();
        Reading::of(
            &state,
            &EntityType::new("home_assistant_entity").unwrap(),
            "°F",
        )
    }

    fn told(id: &str, state: &str, attributes: &Value) -> Vec<(String, String)> {
        let row = json!({"entity_id": id, "state": state, "attributes": attributes});
        let fields = reading(&row).fields.into_iter();
        fields
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    fn of(unit: &str, device_class: &str, state_class: &str) -> Value {
        json!({
            "unit_of_measurement": unit, "device_class": device_class, "state_class": state_class,
        })
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    const AVAILABLE: (&str, &str) = ("availability", "available");

    #[test]
    fn a_number_has_the_field_of_its_unit() {
        for (state, attributes, field, value) in [
            ("21.5", of("°C", "", ""), "temperature_celsius", "21.5"),
            ("68", of("°F", "", ""), "temperature_celsius", "20"),
            ("54", of("%", "humidity", ""), "humidity_ratio", "0.54"),
            (
                "1.5",
                of("kWh", "energy", "total_increasing"),
                "energy_watt_hours_total",
                "1500",
            ),
            (
                "1.5",
                of("kWh", "energy", "total"),
                "energy_watt_hours",
                "1500",
            ),
            ("1013.2", of("hPa", "pressure", ""), "value", "1013.2"),
            ("7", of("", "", "total_increasing"), "value_total", "7"),
            ("0", of("W", "", "measurement"), "power_watts", "0"),
            ("12,5", of("MB", "", ""), "state", "12,5"),
            ("12,5 MB", json!({}), "state", "12,5 MB"),
            (
                "2026-11-23T06:34:14Z",
                of("", "timestamp", ""),
                "state",
                "2026-11-23T06:34:14Z",
            ),
        ] {
            let wanted = pairs(&[AVAILABLE, (field, value)]);
            assert_eq!(told("sensor.x", state, &attributes), wanted, "{state}");
        }
        for (id, state, field) in [
            ("input_number.x", "3", "value"),
            ("select.x", "3", "state"),
            ("select.x", "none", "state"),
        ] {
            let wanted = pairs(&[AVAILABLE, (field, state)]);
            assert_eq!(told(id, state, &json!({})), wanted, "{id}");
        }
    }

    #[test]
    fn what_has_no_value_is_never_zero() {
        let all = json!({"unit_of_measurement": "W", "battery_level": 12, "brightness": 50});
        for (state, availability) in [
            ("unavailable", "unavailable"),
            ("unknown", "unknown"),
            ("", "unknown"),
            ("none", "unknown"),
            ("None", "unknown"),
        ] {
            let wanted = pairs(&[("availability", availability)]);
            assert_eq!(told("sensor.x", state, &all), wanted, "{state}");
        }
        let wanted = pairs(&[("availability", "unavailable")]);
        assert_eq!(told("light.x", "unavailable", &json!({})), wanted);
    }

    #[test]
    fn readings_among_the_attributes_are_told() {
        let thermostat = json!({
            "current_temperature": 68, "temperature": 77.0, "current_humidity": "40",
        });
        assert_eq!(
            told("climate.x", "heat", &thermostat),
            pairs(&[
                AVAILABLE,
                ("humidity_ratio", "0.4"),
                ("state", "heat"),
                ("target_temperature_celsius", "25"),
                ("temperature_celsius", "20"),
            ])
        );
        let weather = json!({"temperature": 21.5, "temperature_unit": "°C", "humidity": 80});
        assert_eq!(
            told("weather.x", "sunny", &weather),
            pairs(&[
                AVAILABLE,
                ("humidity_ratio", "0.8"),
                ("state", "sunny"),
                ("temperature_celsius", "21.5"),
            ])
        );
        assert_eq!(
            told("light.x", "on", &json!({"brightness": 51})),
            pairs(&[AVAILABLE, ("brightness_ratio", "0.2"), ("state", "on")])
        );
    }

    #[test]
    fn a_value_of_its_own_stays_and_what_cannot_be_is_left_out() {
        let mut battery = of("%", "battery", "");
        battery["battery_level"] = json!(90);
        assert_eq!(
            told("sensor.x", "20", &battery),
            pairs(&[AVAILABLE, ("battery_ratio", "0.2")])
        );
        let odd = json!({"brightness": null, "percentage": 101, "battery_level": -1});
        assert_eq!(
            told("light.x", "off", &odd),
            pairs(&[AVAILABLE, ("state", "off")])
        );
    }

    #[test]
    fn labels_say_what_it_is() {
        let mut attributes = of("hPa", "pressure", "");
        attributes["friendly_name"] = json!("Air\u{1b}");
        let row = json!({"entity_id": "sensor.x", "state": "1013", "attributes": attributes});
        let reading = reading(&row);
        let labels = reading.entity.labels.iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| (name.as_str(), &**value))
            .collect();
        assert_eq!(
            labels,
            [
                ("device_class", "pressure"),
                ("name", "Air"),
                ("unit", "hPa")
            ]
        );
        assert_eq!(reading.entity.id.as_str(), "sensor.x");
    }

    #[test]
    fn a_long_state_is_cut() {
        let told = told("text.x", &"ü".repeat(10_000), &json!({}));
        assert_eq!(told[1].1.chars().count(), MOST_TEXT);
    }
}
